//! The connections of a broker: who has shown the key, and which of them has taken too long.
//!
//! A caller without the key may hold up no caller with it. Connections are therefore always accepted: at the limit, the
//! oldest that has not shown the key makes room. One timer serves all, and none runs while there is no connection.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{sync::Notify, task::AbortHandle};
use wif_io::clock::Clock;

use super::cache::AskedOver;

/// Connections at a time; a caller more waits in the listener's queue only while all of these have shown the key.
const MAX_CONNECTIONS: usize = 1024;
/// How long a connection may take to show the key, whatever it does meanwhile.
const KEY_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a caller with the key may take to send the head of the next request.
const HEADER_TIMEOUT: Duration = Duration::from_secs(15);
/// How long a caller with the key may take to read an answer.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);

/// Every connection that is open.
pub(super) struct Connections {
    clock: Arc<dyn Clock>,
    open: Mutex<Open>,
    /// Told of every end of a connection.
    pub(super) freed: Notify,
}

/// By number, so that the first is the oldest.
#[derive(Default)]
struct Open {
    opened: u64,
    keyless: BTreeMap<u64, Entry>,
    keyed: BTreeMap<u64, Entry>,
}

struct Entry {
    activity: Arc<Activity>,
    task: AbortHandle,
}

/// What a connection does, in milliseconds of the clock's `elapsed`.
struct Activity {
    /// When it was opened, or when the last answer was ready.
    last: AtomicU64,
    /// Since when an answer waits for its reader; zero for never.
    stalled: AtomicU64,
    /// Whether an answer is being made.
    answering: AtomicBool,
    keyed: AtomicBool,
    proved: AtomicBool,
}

/// One connection's place among all, until it is dropped.
pub(crate) struct Place {
    number: u64,
    activity: Arc<Activity>,
    connections: Arc<Connections>,
    /// What was asked for over it.
    pub(crate) asked: AskedOver,
}

impl Connections {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Arc<Self> {
        Arc::new(Self { clock, open: Mutex::default(), freed: Notify::new() })
    }

    /// Whether another connection can be accepted.
    pub(super) fn has_room(&self) -> bool {
        let open = self.open();
        open.keyed.len() < MAX_CONNECTIONS
    }

    /// Serves one more connection. Returns when to look at it, and whether another had to make room.
    pub(super) fn add<F>(self: &Arc<Self>, serve: impl FnOnce(Place) -> F) -> (Duration, bool)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let dropped = {
            let open = self.open();
            open.keyless.len() + open.keyed.len() >= MAX_CONNECTIONS
        } && self.drop_oldest_keyless();
        let now = self.clock.elapsed();
        let activity = Arc::new(Activity {
            last: AtomicU64::new(milliseconds(now)),
            stalled: AtomicU64::new(0),
            answering: AtomicBool::new(false),
            keyed: AtomicBool::new(false),
            proved: AtomicBool::new(false),
        });
        let mut open = self.open();
        open.opened += 1;
        let number = open.opened;
        let (kept, connections) = (Arc::clone(&activity), Arc::clone(self));
        let place = Place { number, activity: kept, connections, asked: AskedOver::default() };
        // The lock is held until the entry is there: the task may end at once.
        let task = tokio::spawn(serve(place)).abort_handle();
        open.keyless.insert(number, Entry { activity, task });
        (now + KEY_TIMEOUT, dropped)
    }

    /// Makes room; false when every connection has shown the key.
    pub(super) fn drop_oldest_keyless(&self) -> bool {
        let oldest = self.open().keyless.pop_first();
        if let Some((_, entry)) = &oldest {
            entry.task.abort();
        }
        oldest.is_some()
    }

    /// Drops every connection: nothing is answered any more.
    pub(super) fn drop_all(&self) {
        let mut open = self.open();
        for entry in open.keyless.values().chain(open.keyed.values()) {
            entry.task.abort();
        }
        open.keyless.clear();
        open.keyed.clear();
    }

    /// Drops every connection that has taken too long. Returns when to look again; never, when none is open.
    pub(super) fn drop_overdue(&self) -> Option<Duration> {
        let now = self.clock.elapsed();
        let mut open = self.open();
        let mut next = None::<Duration>;
        let mut stays = |_: &u64, entry: &mut Entry| {
            let deadline = entry.activity.deadline(now);
            if deadline <= now {
                entry.task.abort();
                return false;
            }
            next = Some(next.map_or(deadline, |next| next.min(deadline)));
            true
        };
        open.keyless.retain(&mut stays);
        open.keyed.retain(&mut stays);
        next
    }

    /// Nothing that holds it can leave it half-made.
    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Activity {
    fn deadline(&self, now: Duration) -> Duration {
        let moment = |of: &AtomicU64| Duration::from_millis(of.load(Ordering::Relaxed));
        let stalled = moment(&self.stalled);
        match () {
            () if !self.keyed.load(Ordering::Relaxed) => moment(&self.last) + KEY_TIMEOUT,
            () if !stalled.is_zero() => stalled + WRITE_TIMEOUT,
            () if self.answering.load(Ordering::Relaxed) => now + HEADER_TIMEOUT,
            () => moment(&self.last) + HEADER_TIMEOUT,
        }
    }
}

impl Place {
    /// The caller has shown the key: from now on nothing but its own slowness ends the connection.
    pub(super) fn show_key(&self) {
        if self.activity.keyed.swap(true, Ordering::Relaxed) {
            return;
        }
        let mut open = self.connections.open();
        if let Some(entry) = open.keyless.remove(&self.number) {
            open.keyed.insert(self.number, entry);
        }
    }

    /// Whether this is the connection's first proof.
    pub(super) fn prove(&self) -> bool {
        !self.activity.proved.swap(true, Ordering::Relaxed)
    }

    pub(super) fn begin_answer(&self) {
        self.activity.answering.store(true, Ordering::Relaxed);
    }

    pub(super) fn end_answer(&self) {
        // A connection without the key gets no more time for its answers.
        if self.activity.keyed.load(Ordering::Relaxed) {
            let now = milliseconds(self.connections.clock.elapsed());
            self.activity.last.store(now, Ordering::Relaxed);
        }
        self.activity.answering.store(false, Ordering::Relaxed);
    }

    /// The reader does not read.
    pub(super) fn begin_blocked_write(&self) {
        if self.activity.stalled.load(Ordering::Relaxed) == 0 {
            let now = milliseconds(self.connections.clock.elapsed());
            self.activity.stalled.store(now.max(1), Ordering::Relaxed);
        }
    }

    /// The reader has read all.
    pub(super) fn end_blocked_write(&self) {
        self.activity.stalled.store(0, Ordering::Relaxed);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let entries = {
            let mut open = self.connections.open();
            (open.keyless.remove(&self.number), open.keyed.remove(&self.number))
        };
        drop(entries);
        self.connections.freed.notify_one();
    }
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use time::OffsetDateTime;

    use super::*;
    use wif_io::clock::{Limit, Wait};

    /// A clock that stands still until it is set.
    #[derive(Default)]
    struct Manual(AtomicU64);

    impl Clock for Manual {
        fn now(&self) -> OffsetDateTime {
            OffsetDateTime::UNIX_EPOCH
        }

        fn elapsed(&self) -> Duration {
            Duration::from_secs(self.0.load(Ordering::Relaxed))
        }

        fn sleep(&self, _: Duration) -> Wait {
            Box::pin(pending())
        }

        fn limit(&self, _: Limit, _: Duration) -> Wait {
            Box::pin(pending())
        }

        fn jitter(&self) -> u8 {
            0
        }
    }

    /// A connection that lasts until the broker drops it.
    struct Connection {
        place: Place,
        /// A second owner is in its task.
        alive: Arc<()>,
        look_at: Duration,
        dropped_another: bool,
    }

    impl Connection {
        fn open(connections: &Arc<Connections>) -> Self {
            let (alive, mut given) = (Arc::new(()), None);
            let in_task = Arc::clone(&alive);
            let (look_at, dropped_another) = connections.add(|place| {
                given = Some(place);
                async move {
                    pending::<()>().await;
                    drop(in_task);
                }
            });
            Self { place: given.unwrap(), alive, look_at, dropped_another }
        }

        fn with_key(connections: &Arc<Connections>) -> Self {
            let connection = Self::open(connections);
            connection.place.show_key();
            connection
        }

        async fn is_open(&self) -> bool {
            // A task that is ended is dropped at its next turn, and turns are taken in order.
            tokio::spawn(async {}).await.unwrap();
            Arc::strong_count(&self.alive) == 2
        }
    }

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn none_at(second: u64) -> (Arc<Manual>, Arc<Connections>) {
        let clock = Arc::new(Manual(AtomicU64::new(second)));
        (Arc::clone(&clock), Connections::new(clock))
    }

    #[tokio::test]
    async fn connections_with_and_without_the_key_count_together() {
        let (_, connections) = none_at(0);
        let half = MAX_CONNECTIONS / 2;
        let mut all: Vec<_> = (0..half).map(|_| Connection::with_key(&connections)).collect();
        all.extend((half..MAX_CONNECTIONS).map(|_| Connection::open(&connections)));
        for connection in &all {
            assert!(connection.is_open().await && !connection.dropped_another);
        }
        assert!(Connection::open(&connections).dropped_another);
    }

    #[tokio::test]
    async fn below_the_limit_every_connection_stays() {
        let (_, connections) = none_at(0);
        let all: Vec<_> = (0..MAX_CONNECTIONS).map(|_| Connection::open(&connections)).collect();
        for connection in &all {
            assert!(connection.is_open().await && !connection.dropped_another);
        }
        assert!(connections.has_room(), "none of them has shown the key");
    }

    #[tokio::test]
    async fn at_the_limit_the_oldest_without_the_key_makes_room_and_none_with_it() {
        let (_, connections) = none_at(0);
        let mut keyed: Vec<_> =
            (0..MAX_CONNECTIONS - 2).map(|_| Connection::with_key(&connections)).collect();
        let (oldest, newer) = (Connection::open(&connections), Connection::open(&connections));
        assert!(!newer.dropped_another);
        let one_more = Connection::open(&connections);
        assert!(one_more.dropped_another);
        assert!(!oldest.is_open().await && newer.is_open().await && one_more.is_open().await);
        drop((oldest, newer, one_more));
        keyed.push(Connection::with_key(&connections));
        assert!(connections.has_room());
        keyed.push(Connection::with_key(&connections));
        assert!(!connections.has_room(), "as many as there may be have shown the key");
        assert!(!connections.drop_oldest_keyless());
        for connection in &keyed {
            assert!(connection.is_open().await);
        }
        let freed = connections.freed.notified();
        keyed.pop();
        freed.await;
        assert!(connections.has_room(), "one has ended");
    }

    #[tokio::test]
    async fn a_connection_without_the_key_ends_ten_seconds_after_it_was_opened() {
        let (clock, connections) = none_at(100);
        assert_eq!(connections.drop_overdue(), None);
        let silent = Connection::open(&connections);
        assert_eq!(silent.look_at, seconds(110));
        clock.0.store(105, Ordering::Relaxed);
        let busy = Connection::open(&connections);
        busy.place.begin_answer();
        busy.place.end_answer();
        assert_eq!(connections.drop_overdue(), Some(seconds(110)), "the first that may be overdue");
        clock.0.store(109, Ordering::Relaxed);
        // Neither an answer nor a reader that does not read it gives a caller without the key more time.
        busy.place.begin_answer();
        busy.place.begin_blocked_write();
        busy.place.end_answer();
        assert_eq!(connections.drop_overdue(), Some(seconds(110)));
        assert!(silent.is_open().await && busy.is_open().await);
        clock.0.store(110, Ordering::Relaxed);
        assert_eq!(connections.drop_overdue(), Some(seconds(115)));
        assert!(!silent.is_open().await && busy.is_open().await);
        clock.0.store(115, Ordering::Relaxed);
        assert_eq!(connections.drop_overdue(), None);
        assert!(!busy.is_open().await);
    }

    #[tokio::test]
    async fn a_caller_with_the_key_has_fifteen_seconds_after_each_answer_to_ask_again() {
        let (clock, connections) = none_at(100);
        let caller = Connection::with_key(&connections);
        assert_eq!(connections.drop_overdue(), Some(seconds(115)));
        caller.place.begin_answer();
        for second in [120, 1000] {
            clock.0.store(second, Ordering::Relaxed);
            assert!(connections.drop_overdue().is_some_and(|next| next > seconds(second)));
            assert!(caller.is_open().await, "its answer is being made");
        }
        caller.place.end_answer();
        assert_eq!(connections.drop_overdue(), Some(seconds(1015)));
        clock.0.store(1014, Ordering::Relaxed);
        connections.drop_overdue();
        assert!(caller.is_open().await);
        clock.0.store(1015, Ordering::Relaxed);
        assert_eq!(connections.drop_overdue(), None);
        assert!(!caller.is_open().await);
    }

    #[tokio::test]
    async fn a_caller_with_the_key_has_ten_seconds_to_read_an_answer() {
        // At the clock's very beginning, too: zero means that no answer waits.
        for begin in [0, 100] {
            let (clock, connections) = none_at(begin);
            let caller = Connection::with_key(&connections);
            caller.place.begin_blocked_write();
            clock.0.store(begin + 5, Ordering::Relaxed);
            caller.place.begin_blocked_write();
            let next = connections.drop_overdue().unwrap();
            assert!(
                next >= seconds(begin + 10) && next < seconds(begin + 11),
                "from the first wait: {next:?}"
            );
            caller.place.end_blocked_write();
            assert_eq!(connections.drop_overdue(), Some(seconds(begin + 15)), "it has read all");
            caller.place.begin_blocked_write();
            assert_eq!(connections.drop_overdue(), Some(seconds(begin + 15)));
            clock.0.store(begin + 15, Ordering::Relaxed);
            assert_eq!(connections.drop_overdue(), None);
            assert!(!caller.is_open().await);
        }
    }

    #[tokio::test]
    async fn a_connection_gets_one_proof() {
        let (_, connections) = none_at(0);
        let (one, other) = (Connection::open(&connections), Connection::open(&connections));
        assert!(one.place.prove() && !one.place.prove() && !one.place.prove());
        assert!(other.place.prove(), "each has its own");
    }
}
