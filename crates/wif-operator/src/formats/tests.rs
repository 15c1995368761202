//! What holds for every format: the same bytes for the same snapshot, and names that stay text.

use proptest::prelude::*;
use serde_json::Value;

use super::{Format, inventory, markdown};
use crate::{
    judge::{Selection, judge},
    look::Look,
    report::Report,
    snapshot::{Coverage, Layer, State},
    testing::{Planted, settings, store_secret},
    waiver::{WaiverNotice, WaiverState},
};

const FORMATS: [Format; 6] =
    [Format::Text, Format::Json, Format::Sarif, Format::Csv, Format::Markdown, Format::Html];

/// A report of an organization in which everything that people name has this name.
fn report_named(name: &str) -> Report {
    let mut planted = Planted::new().with(2, |connection, identity| {
        store_secret(connection, identity);
        connection.name = name.to_owned();
        connection.projects[0].name = name.to_owned();
        connection.projects[0].connection_name = name.to_owned();
        connection.projects[0].pipelines.as_mut().unwrap().pipelines[0].name = Some(name.to_owned());
        connection.description = Some(format!("d{name}"));
        connection.scheme = Some("ServicePrincipal".to_owned());
        identity.name = Some(name.to_owned());
    });
    planted = planted.with(3, |connection, identity| {
        connection.name = name.to_owned();
        identity.federated_credentials.as_mut().unwrap()[0].subject = Some(format!("s{name}s"));
        identity.federated_credentials.as_mut().unwrap()[0].name = name.to_owned();
        connection.created_by.as_mut().unwrap().name = Some(name.to_owned());
    });
    planted.0.name = name.to_owned();
    planted.0.coverage.push(Coverage {
        project: Some(name.to_owned()),
        layer: Layer::Use,
        connection: None,
        state: State::Denied,
        why: name.to_owned(),
    });
    judge(&planted.snapshot(), &settings(), &Selection::default())
}

pub(super) fn written(format: Format, report: &Report) -> String {
    let mut out = Vec::new();
    format.write(report, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

/// Names that try to be something else in one of the formats.
fn hostile() -> impl Strategy<Value = String> {
    let pieces = prop::sample::select(vec![
        "<script>alert(1)</script>",
        "\"><img src=x onerror=alert(1)>",
        "'",
        "\"",
        "`",
        "```",
        "|",
        "[x](javascript:alert(1))",
        "![x](https://evil.example/)",
        "=cmd|'/c calc'!A1",
        "+1",
        "-1",
        "@SUM(A1)",
        "\t=1",
        "\r\n",
        "\n",
        "##vso[task.complete]",
        "\u{1b}[31m",
        "\u{202e}",
        "&lt;",
        "]]>",
        "-->",
        "</pre>",
        "</style>",
        "{{ 7*7 }}",
        "%",
        ";",
        "~~~",
        "# h",
        "\\",
        "a",
        " ",
    ]);
    prop::collection::vec(pieces, 1..6).prop_map(|pieces| pieces.concat())
}

/// The elements of a page, and their attributes, without its text.
fn markup(page: &str) -> Vec<&str> {
    let body = page.split_once("<body>").unwrap().1;
    let body = body.split_once("<script>").unwrap().0;
    body.split('<').skip(1).map(|rest| rest.split(['>', ' ']).next().unwrap()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_format_holds_a_command_or_a_control_character(name in hostile()) {
        let report = report_named(&name);
        for format in FORMATS {
            let text = written(format, &report);
            prop_assert!(!text.contains("##vso"), "{:?}", format);
            prop_assert!(!text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r')), "{:?}", format);
            if format != Format::Csv {
                prop_assert!(!text.contains('\r'), "{:?}", format);
            }
        }
    }

    #[test]
    fn names_add_no_element_to_the_page(name in hostile()) {
        let (plain, page) = (written(Format::Html, &report_named("x")), written(Format::Html, &report_named(&name)));
        prop_assert_eq!(markup(&plain), markup(&page));
        prop_assert!(!page.contains("<img") && !page.contains("<script>alert"));
    }

    #[test]
    fn json_and_sarif_stay_whole(name in hostile()) {
        let report = report_named(&name);
        let json: Value = serde_json::from_str(&written(Format::Json, &report)).unwrap();
        prop_assert_eq!(json["connections"].as_array().unwrap().len(), 3);
        let sarif: Value = serde_json::from_str(&written(Format::Sarif, &report)).unwrap();
        for result in sarif["runs"][0]["results"].as_array().unwrap() {
            let uri = result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"].as_str().unwrap();
            let is_of_uri = |c: char| c.is_ascii_alphanumeric() || "-._~%/".contains(c);
            prop_assert!(!uri.is_empty() && uri.chars().all(is_of_uri) && !uri.starts_with('/'), "{}", uri);
        }
    }

    #[test]
    fn no_cell_is_a_formula_and_rows_have_the_columns_of_the_heading(name in hostile()) {
        let text = written(Format::Csv, &report_named(&name));
        let mut rows = csv::ReaderBuilder::new().has_headers(false).from_reader(text.as_bytes());
        let rows: Vec<_> = rows.records().map(Result::unwrap).collect();
        prop_assert!(rows.len() > 3);
        for row in rows {
            prop_assert_eq!(row.len(), 38);
            for cell in &row {
                prop_assert!(!cell.starts_with(['=', '+', '-', '@', '\t', '\r']), "{}", cell);
            }
        }
        prop_assert!(text.ends_with("\r\n"));
    }

    #[test]
    fn a_table_of_markdown_keeps_its_columns_and_has_no_links(name in hostile()) {
        let text = written(Format::Markdown, &report_named(&name));
        for line in text.lines().filter(|line| line.starts_with("| ")) {
            prop_assert_eq!(line.matches('|').count(), 5, "{}", line);
            prop_assert!(!line.contains("](") && !line.contains('`') && !line.contains('<') && !line.contains('@'), "{}", line);
        }
        // Whatever the name, the blocks of code are closed.
        prop_assert_eq!(text.lines().filter(|line| line.starts_with("```")).count() % 2, 0, "{}", text);
    }
}

#[test]
fn the_same_snapshot_and_moment_give_the_same_bytes() {
    for format in FORMATS {
        assert_eq!(written(format, &report_named("sc")), written(format, &report_named("sc")));
    }
}

#[test]
fn the_text_is_one_screen_however_large_the_organization_is() {
    let planted = (2..400).fold(Planted::new(), |planted, number| {
        planted.with(number, |connection, identity| match number % 7 {
            0 => store_secret(connection, identity),
            1 => connection.projects[0].pipelines.as_mut().unwrap().is_open_to_all = true,
            2 => identity.owners = Some(Vec::new()),
            3 => identity.roles = Some(Vec::new()),
            4 => connection.description = None,
            5 => identity.federated_credentials = Some(Vec::new()),
            _ => identity.secrets = Some(vec![crate::testing::secret(3)]),
        })
    });
    let report = judge(&planted.snapshot(), &settings(), &Selection::default());
    let text = written(Format::Text, &report);
    assert!(text.lines().count() <= 60, "{text}");
    assert!(text.contains("\nConvert to federation: 57 faults\n"), "{text}");
    assert!(
        text.contains("  … 54 more\n  next: wif convert plan --organization contoso --all-eligible\n"),
        "{text}"
    );
    assert!(text.find("Convert to").unwrap() < text.find("Clean up").unwrap(), "{text}");
}

#[test]
fn each_organization_has_the_command_for_all_of_it() {
    let plant = || Planted::new().with(2, store_secret).with(3, store_secret);
    let mut snapshot = plant().snapshot();
    for name in ["fabrikam", "northwind", "tailspin"] {
        let mut other = plant().0;
        other.name = name.to_owned();
        snapshot.organizations.push(other);
    }
    let report = judge(&snapshot, &settings(), &Selection::default());
    let command = |name: &str| format!("wif convert plan --organization {name} --all-eligible");
    let text = written(Format::Text, &report);
    for name in ["contoso", "fabrikam", "northwind"] {
        assert!(text.contains(&format!("\n  next: {}\n", command(name))), "{name}: {text}");
    }
    assert!(text.contains("\n  … and for 1 organization more\n") && text.lines().count() <= 60, "{text}");
    for format in [Format::Markdown, Format::Html] {
        let text = written(format, &report);
        assert!(text.contains(&command("contoso")) && text.contains(&command("tailspin")), "{text}");
    }
}

#[test]
fn a_row_of_csv_has_what_the_json_of_a_connection_has() {
    let planted = Planted::new().with(2, |_, identity| identity.roles = Some(Vec::new()));
    let report = judge(&planted.snapshot(), &settings(), &Selection::default());
    let json: Value = serde_json::from_str(&written(Format::Json, &report)).unwrap();
    let text = written(Format::Csv, &report);
    let mut rows = csv::Reader::from_reader(text.as_bytes());
    let heading = rows.headers().unwrap().clone();
    // Names of their own in a table, and what is a list of its own in JSON.
    let other = ["id", "name", "pipelines", "members", "federatedCredentials", "identityName", "description"];
    for name in json["connections"][0].as_object().unwrap().keys() {
        assert!(heading.iter().any(|column| column == name) || other.contains(&name.as_str()), "{name}");
    }
    let column = heading.iter().position(|column| column == "roles").unwrap();
    let rows: Vec<_> = rows.records().map(Result::unwrap).collect();
    assert!(rows.iter().any(|row| &row[column] == "none"), "{text}");
}

#[test]
fn a_waiver_without_an_effect_is_told_in_each_format_that_people_read() {
    let mut report = judge(&Planted::new().snapshot(), &settings(), &Selection::default());
    report.waivers = vec![WaiverNotice {
        rule: "WIF6101".to_owned(),
        target: "name sc-[old]-*".to_owned(),
        until: "2026-01-31".to_owned(),
        state: WaiverState::Ended,
    }];
    for format in [Format::Text, Format::Markdown, Format::Html, Format::Json] {
        let text = written(format, &report);
        assert!(text.contains("2026-01-31") && text.contains("ended"), "{text}");
    }
    let sarif: Value = serde_json::from_str(&written(Format::Sarif, &report)).unwrap();
    let told = &sarif["runs"][0]["invocations"][0]["toolExecutionNotifications"];
    let text = r"WIF6101: the waiver for name sc-\[old\]-* until 2026-01-31 has ended";
    assert_eq!(told, &serde_json::json!([{ "level": "note", "message": { "text": text } }]));
}

#[test]
fn the_table_of_the_inventory_fits_the_terminal() {
    let report = report_named("a name that is longer than a column of a narrow terminal has room for");
    for width in [80, 120, 160] {
        let mut out = Vec::new();
        inventory::write_text(&report, Look::new(false, Some(width)), &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        for line in text.lines().take(4) {
            assert!(line.chars().count() <= width, "{width}: {line}");
        }
        assert!(text.contains("2026-11-") && !text.contains("2026-11-…"), "{text}");
    }
}

#[test]
fn the_chain_of_trust_of_a_connection_is_one_screen() {
    let report = judge(&Planted::new().snapshot(), &settings(), &Selection::default());
    let mut out = Vec::new();
    inventory::write_chain(&report, Look::default(), &mut out).unwrap();
    let text = String::from_utf8(out).unwrap();
    let labels = [
        "pipelines",
        "people and groups",
        "approvals and checks",
        "issuer",
        "subject",
        "federated credential",
        "identity",
        "roles",
        "last used",
    ];
    let places: Vec<_> = labels.iter().map(|label| text.find(&format!("\n  {label} ")).unwrap()).collect();
    assert!(places.is_sorted() && text.lines().count() < 30, "{text}");
    assert!(text.contains("azure-devops") && text.contains("Platform/Release"), "{text}");
}

#[test]
fn the_chain_of_trust_can_be_read_on_a_narrow_terminal() {
    let report = report_named("sc-a-name-that-is-longer-than-the-line-of-a-narrow-terminal-has-room-for");
    let chain = |columns: Option<usize>| {
        let mut out = Vec::new();
        inventory::write_chain(&report, Look::new(false, columns), &mut out).unwrap();
        String::from_utf8(out).unwrap()
    };
    let whole = chain(None);
    let letters = |text: &str| text.chars().filter(|one| !one.is_whitespace()).collect::<String>();
    for columns in [30, 40, 60, 80, 120] {
        let text = chain(Some(columns));
        let mut lines = text.lines().take_while(|line| !line.starts_with("Not everything"));
        assert!(lines.all(|line| line.chars().count() <= columns), "{columns}:\n{text}");
        // Nothing is lost, and what goes on in the next line is not taken for a label.
        assert_eq!(letters(&text), letters(&whole), "{columns}:\n{text}");
        let indent = |line: &&str| line.len() - line.trim_start().len();
        for line in text.lines().filter(|line| indent(line) == 2) {
            let label = line.trim_start().split("  ").next().unwrap();
            assert!(whole.contains(&format!("\n  {label}  ")), "{columns}: {line}");
        }
    }
    // Where there is no terminal a line is whole, so that it can be searched for.
    assert!(whole.lines().any(|line| line.chars().count() > 80), "{whole}");
}

#[test]
fn the_chain_says_of_what_was_not_read_that_it_was_not() {
    let chain = |plant: fn(&mut crate::snapshot::identity::Identity)| {
        let planted = Planted::new().with(2, |_, identity| plant(identity));
        let report = judge(&planted.snapshot(), &settings(), &Selection::default());
        let mut out = Vec::new();
        inventory::write_chain(&report, Look::default(), &mut out).unwrap();
        String::from_utf8(out).unwrap()
    };
    let secret = |text: &str| {
        let lines = text.lines().filter_map(|line| line.trim().strip_prefix("secret of the identity"));
        lines.map(|rest| rest.trim().to_owned()).collect::<Vec<_>>()
    };
    assert!(secret(&chain(|_| {})).iter().all(|one| one == "nothing"));
    let unread = chain(|identity| (identity.federated_credentials, identity.secrets) = (None, None));
    assert!(secret(&unread).contains(&"not read".to_owned()), "{unread}");
}

#[test]
fn markdown_escapes_what_makes_markup() {
    assert_eq!(markdown::escape("a|b`c@d <e> [f](g)"), "a&#124;b&#96;c&#64;d &lt;e&gt; \\[f\\]\\(g\\)");
}

#[test]
fn one_and_several_are_told_apart_on_the_page() {
    let page = |unseen: &[u32]| {
        let hide = |planted: Planted, at: &u32| planted.with(*at, |one, _| one.is_visible = false);
        let planted = unseen.iter().fold(Planted::new(), hide);
        written(Format::Html, &judge(&planted.snapshot(), &settings(), &Selection::default()))
    };
    assert!(page(&[]).contains("<b>0</b> connections not to be seen"));
    assert!(page(&[2]).contains("<b>1</b> connection not to be seen"));
    assert!(page(&[1, 2]).contains("<b>2</b> connections not to be seen"));
}

#[test]
fn an_address_without_a_scheme_is_no_link_in_markdown() {
    // GitHub's Markdown makes links of what begins with `www.`, others also of other letter cases.
    assert_eq!(markdown::escape("www.evil.example"), "www&#46;evil.example");
    assert_eq!(markdown::escape("see (WwW.evil.example)"), "see \\(WwW&#46;evil.example\\)");
    assert_eq!(markdown::escape("sc.prod.www"), "sc.prod.www");
}

#[test]
fn each_descriptor_of_sarif_has_what_github_requires() {
    // GitHub, "SARIF support for code scanning": reportingDescriptor. sarif-multitool calls what is missing GH2012.
    let sarif: Value = serde_json::from_str(&written(Format::Sarif, &report_named("sc"))).unwrap();
    let driver = &sarif["runs"][0]["tool"]["driver"];
    let all = ["rules", "notifications"].map(|list| driver[list].as_array().unwrap());
    assert!(all.iter().all(|list| !list.is_empty()));
    for descriptor in all.into_iter().flatten() {
        let id = descriptor["id"].as_str().unwrap();
        for part in ["shortDescription", "fullDescription", "help"] {
            assert!(descriptor[part]["text"].as_str().is_some_and(|text| !text.is_empty()), "{id}: {part}");
        }
        let help = descriptor["help"]["text"].as_str().unwrap();
        assert!(help.contains(id) && help.contains(descriptor["helpUri"].as_str().unwrap()), "{help}");
    }
}

#[test]
fn each_landmark_of_the_page_has_a_name_of_its_own() {
    // axe-core calls two of one name landmark-unique.
    let html = written(Format::Html, &report_named("sc"));
    let after = |begin: &str, end: &str| {
        let parts: Vec<_> = html.split(begin).skip(1).filter_map(|part| part.split(end).next()).collect();
        assert!(!parts.is_empty(), "{begin}");
        parts.into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    let headings =
        after("<h2 id=\"", "</h2>").into_iter().filter_map(|one| Some(one.split_once("\">")?.1.to_owned()));
    let mut names: Vec<_> = headings.chain(after(" aria-label=\"", "\"")).collect();
    let count = names.len();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), count, "{names:?}");
}
