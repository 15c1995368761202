//! Everything that can go wrong on the wire, at every place that is asked.

mod row;
mod scene;

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread::{self, available_parallelism},
};

use self::{
    row::{Expected, Row},
    scene::{Place, renewed, signed_in},
};

/// What becomes of a sign-in when a fault hits the first try, or every try, at a place: the outcome, how many tries
/// there are at that place, and how long it may take in all.
///
/// - *ahead* is the connection that is made ahead to Entra; it never does any harm. A fault of connections that hits
///   every try there is one of the access token.
/// - The machine's identity is asked in plain http, through no proxy, and a variable names where it is.
/// - A name, or a certificate, that is bad once only cannot be made here; `WIF3001` is tried again all the same.
/// - A connection that fails at Entra once fails ahead, and the exchange finds none and makes its own.
///
/// The broker's renewals are held to the same two columns, *id token* and *access token*: what lasts is invisible while
/// the old token works and then has this code, and what passes is never seen.
const TABLE: &str = "
fault                   | tries | id token        | access token    | ahead    | machine's identity
refused                 | every | WIF3002 11 75s  | WIF3002 11 75s  | -        | WIF3002 11 75s
cut when connected      | first | ok 2 20s        | ok 1 20s        | ok 1 20s | ok 2 20s
cut when connected      | every | WIF3002 11 75s  | WIF3002 11 75s  | -        | WIF3002 11 75s
silent when connected   | first | ok 2 40s        | ok 1 40s        | ok 1 20s | ok 2 40s
silent when connected   | every | WIF3005 2 75s   | WIF3005 4 75s   | -        | WIF3005 4 75s
reset                   | first | ok 2 20s        | ok 2 20s        | ok 1 20s | ok 2 20s
reset                   | every | WIF3002 11 75s  | WIF3002 11 75s  | ok 1 20s | WIF3002 11 75s
hang                    | first | ok 2 40s        | ok 2 40s        | ok 1 20s | ok 2 40s
hang                    | every | WIF3005 2 75s   | WIF3005 4 75s   | ok 1 20s | WIF3005 4 75s
slow drip               | first | ok 2 40s        | ok 2 40s        | ok 1 20s | ok 2 40s
slow drip               | every | WIF3005 2 75s   | WIF3005 4 75s   | ok 1 20s | WIF3005 4 75s
408                     | first | ok 2 20s        | ok 2 20s        | ok 1 20s | ok 2 20s
408                     | every | WIF3006 11 75s  | WIF3006 11 75s  | ok 1 20s | WIF3006 11 75s
429                     | first | ok 2 20s        | ok 2 20s        | ok 1 20s | ok 2 20s
429                     | every | WIF3006 11 75s  | WIF3006 11 75s  | ok 1 20s | WIF3006 11 75s
429, come back in 3 s   | first | ok 2 20s        | ok 2 20s        | ok 1 20s | ok 2 20s
429, come back in 3 s   | every | WIF3006 20 75s  | WIF3006 20 75s  | ok 1 20s | WIF3006 20 75s
429, come back in 300 s | first | WIF3006 1 20s   | WIF3006 1 20s   | ok 1 20s | WIF3006 1 20s
429, come back in 300 s | every | WIF3006 1 20s   | WIF3006 1 20s   | ok 1 20s | WIF3006 1 20s
500                     | first | ok 2 20s        | ok 2 20s        | ok 1 20s | ok 2 20s
500                     | every | WIF3006 11 75s  | WIF3006 11 75s  | ok 1 20s | WIF3006 11 75s
502 in HTML             | first | ok 2 20s        | ok 2 20s        | ok 1 20s | ok 2 20s
502 in HTML             | every | WIF3006 11 75s  | WIF3006 11 75s  | ok 1 20s | WIF3006 11 75s
503 in JSON             | first | ok 2 20s        | ok 2 20s        | ok 1 20s | ok 2 20s
503 in JSON             | every | WIF3006 11 75s  | WIF3006 11 75s  | ok 1 20s | WIF3006 11 75s
503 in HTML             | first | ok 2 20s        | ok 2 20s        | ok 1 20s | ok 2 20s
503 in HTML             | every | WIF3006 11 75s  | WIF3006 11 75s  | ok 1 20s | WIF3006 11 75s
504                     | first | ok 2 20s        | ok 2 20s        | ok 1 20s | ok 2 20s
504                     | every | WIF3006 11 75s  | WIF3006 11 75s  | ok 1 20s | WIF3006 11 75s
200 without a body      | first | ok 2 20s        | ok 2 20s        | ok 1 20s | ok 2 20s
200 without a body      | every | WIF3007 11 75s  | WIF3007 11 75s  | ok 1 20s | WIF3007 11 75s
200, truncated          | first | ok 2 20s        | ok 2 20s        | ok 1 20s | ok 2 20s
200, truncated          | every | WIF3002 11 75s  | WIF3002 11 75s  | ok 1 20s | WIF3002 11 75s
200, huge               | first | ok 2 20s        | ok 2 20s        | ok 1 20s | ok 2 20s
200, huge               | every | WIF3007 11 75s  | WIF3007 11 75s  | ok 1 20s | WIF3007 11 75s
200, other JSON         | first | ok 2 20s        | ok 2 20s        | ok 1 20s | ok 2 20s
200, other JSON         | every | WIF3007 11 75s  | WIF3007 11 75s  | ok 1 20s | WIF3007 11 75s
200, a page             | first | ok 2 20s        | ok 2 20s        | ok 1 20s | ok 2 20s
200, a page             | every | WIF3007 11 75s  | WIF3007 11 75s  | ok 1 20s | WIF3007 11 75s
200, a sign-in page     | first | WIF2002 1 20s   | ok 2 20s        | ok 1 20s | ok 2 20s
200, a sign-in page     | every | WIF2002 1 20s   | WIF3007 11 75s  | ok 1 20s | WIF3007 11 75s
203, a page             | first | WIF2002 1 20s   | ok 2 20s        | ok 1 20s | ok 2 20s
203, a page             | every | WIF2002 1 20s   | WIF3007 11 75s  | ok 1 20s | WIF3007 11 75s
302                     | first | ok 2 20s        | ok 2 20s        | ok 1 20s | ok 2 20s
302                     | every | WIF3007 11 75s  | WIF3007 11 75s  | ok 1 20s | WIF3007 11 75s
302 to sign in          | first | WIF2002 1 20s   | ok 2 20s        | ok 1 20s | ok 2 20s
302 to sign in          | every | WIF2002 1 20s   | WIF3007 11 75s  | ok 1 20s | WIF3007 11 75s
TLS breaks              | first | ok 2 20s        | ok 1 20s        | ok 1 20s | -
TLS breaks              | every | WIF3003 11 75s  | WIF3003 11 75s  | -        | -
certificate of another  | every | WIF3003 1 20s   | WIF3003 1 20s   | -        | -
name unknown            | every | WIF3001 11 75s  | WIF3001 11 75s  | -        | WIF3001 11 75s
proxy refuses           | first | ok 2 20s        | ok 1 20s        | ok 1 20s | ok 1 20s
proxy refuses           | every | WIF3004 4 20s   | WIF3004 4 20s   | -        | ok 1 20s
proxy wants a password  | every | WIF3004 1 20s   | WIF3004 1 20s   | -        | ok 1 20s
proxy is silent         | every | WIF3005 2 75s   | WIF3005 4 75s   | -        | ok 1 20s
proxy is gone           | every | WIF3002 11 75s  | WIF3002 11 75s  | -        | ok 1 20s
";

/// Runs every row that has something to say of a place.
fn each(place: Place, check: impl Fn(&Row, Place, &Expected) + Sync) {
    let rows: Vec<Row> = TABLE.trim().lines().skip(1).map(Row::read).collect();
    assert!(rows.len() > 50, "{}", rows.len());
    let rows = rows.iter().filter_map(|row| Some((row, row.cells[place as usize].as_ref()?)));
    let (rows, wrong) = (Mutex::new(rows), AtomicUsize::new(0));
    thread::scope(|scope| {
        for _ in 0..available_parallelism().map_or(2, usize::from) {
            scope.spawn(|| {
                while let Some((row, expected)) = { rows.lock().unwrap().next() } {
                    // One row that is wrong hides no other.
                    if catch_unwind(AssertUnwindSafe(|| check(row, place, expected))).is_err() {
                        wrong.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    assert_eq!(wrong.into_inner(), 0, "rows of the table are wrong");
}

#[test]
fn whatever_happens_to_the_id_token_ends_as_the_table_says() {
    each(Place::IdToken, signed_in);
}

#[test]
fn whatever_happens_to_the_access_token_ends_as_the_table_says() {
    each(Place::AccessToken, signed_in);
}

#[test]
fn whatever_happens_to_the_connection_made_ahead_does_no_harm() {
    each(Place::Ahead, signed_in);
}

#[test]
fn whatever_happens_to_the_machines_identity_ends_as_the_table_says() {
    each(Place::Machine, signed_in);
}

#[test]
fn whatever_happens_to_the_id_token_is_invisible_to_the_brokers_callers_while_the_old_token_works() {
    each(Place::IdToken, renewed);
}

#[test]
fn whatever_happens_to_the_access_token_is_invisible_to_the_brokers_callers_while_the_old_token_works() {
    each(Place::AccessToken, renewed);
}
