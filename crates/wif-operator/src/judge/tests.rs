use super::*;
use wif_core::azure::cloud::Cloud;

use crate::{
    made,
    request::Request,
    snapshot::{
        Existence,
        connection::{Connection, ProjectReference},
        identity::Identity,
    },
    testing::{Planted, client_id, connection_id, reference, request, secret, settings, store_secret},
};

/// What is said of a request in an organization that was read whole, but for what is planted.
fn judged(request: Request, planted: Planted) -> Report {
    let asked = Settings { requests: vec![request], ..settings() };
    judge(&planted.snapshot(), &asked, &Selection::default())
}

/// The connection of the request, with what is planted in its identity.
fn described(request: &Request, plant: impl FnOnce(&mut Identity)) -> Planted {
    let description = made::description(request, "key");
    Planted::new().with(2, |connection, identity| {
        connection.description = Some(description);
        plant(identity);
    })
}

fn why(report: &Report) -> Vec<&str> {
    report.gaps().map(|gap| gap.why.as_str()).collect()
}

#[test]
fn a_request_that_cannot_be_compared_is_a_gap_and_never_good() {
    assert!(why(&judged(request(), described(&request(), |_| {}))).is_empty());
    let unread = described(&request(), |identity| identity.roles = None);
    let report = judged(request(), unread);
    assert_eq!(why(&report), ["sc-2.yaml cannot be compared with role assignments"]);
    assert_eq!(report.coverage.last().unwrap().connection, Some(connection_id(2)));
    let elsewhere = Request { projects: vec!["Nowhere".to_owned()], ..request() };
    let report = judged(elsewhere, Planted::new());
    assert_eq!(why(&report), ["sc-2.yaml: the project Nowhere was not seen"]);
}

#[test]
fn what_was_not_asked_for_is_no_gap() {
    // A layer that is not read.
    let mut lists = described(&request(), |identity| identity.roles = None);
    lists.0.coverage.retain(|entry| entry.layer == Layer::List);
    let mut snapshot = lists.snapshot();
    snapshot.depth = Layer::List;
    let asked = Settings { requests: vec![request()], ..settings() };
    assert!(why(&judge(&snapshot, &asked, &Selection::default())).is_empty());
    // A rule that is left out.
    let unread = described(&request(), |identity| identity.roles = None);
    let selection = Selection { rules: ["WIF6101".to_owned()].into(), ..Selection::default() };
    assert!(why(&judge(&unread.snapshot(), &asked, &selection)).is_empty());
    // A project that is left out: the request is for another one, and is not called absent.
    let mut snapshot = described(&request(), |_| {}).snapshot();
    snapshot.projects = vec!["Platform".to_owned()];
    let other = Request { projects: vec!["Shop".to_owned()], ..request() };
    let report = judge(&snapshot, &Settings { requests: vec![other], ..settings() }, &Selection::default());
    assert!(why(&report).is_empty() && report.findings.iter().all(|one| one.rule != "WIF6601"));
}

#[test]
fn addresses_that_are_redacted_are_not_called_the_same() {
    let mut asked = request();
    crate::redact::redact_request(&mut asked);
    let planted = described(&asked, |_| {});
    let report = judged(asked, planted);
    assert_eq!(
        why(&report),
        ["sc-2.yaml cannot be compared with the mail address of its owner, which is redacted"]
    );
}

#[test]
fn a_name_that_is_redacted_may_be_the_one_that_is_asked_for() {
    let mut snapshot = described(&request(), |_| {}).snapshot();
    let connection = snapshot.organizations[0].connections.iter_mut().find(|one| one.id == connection_id(2));
    let connection = connection.unwrap();
    "Ada Byron's".clone_into(&mut connection.projects[0].connection_name);
    connection.created_by.as_mut().unwrap().name = Some("Ada Byron".to_owned());
    crate::redact::redact(&mut snapshot).unwrap();
    let asked = Request { connection: "Ada Byron's".to_owned(), ..request() };
    let report = judge(&snapshot, &Settings { requests: vec![asked], ..settings() }, &Selection::default());
    assert!(report.findings.iter().all(|one| one.rule != "WIF6601"));
    let expected = "sc-2.yaml: a connection of the project has a person in its name, which is redacted";
    assert_eq!(why(&report), [expected]);
}

#[test]
fn what_is_read_in_one_project_only_is_not_the_whole() {
    let report = |plant: fn(&mut Connection)| {
        let planted = Planted::new().with(2, |connection, _| plant(connection));
        let report = judge(&planted.snapshot(), &settings(), &Selection::default());
        report.connections.into_iter().find(|one| one.id == connection_id(2)).unwrap()
    };
    let whole = report(|connection| connection.projects.push(reference(2, "Shop", "sc-2", false)));
    assert!(whole.pipelines.is_some() && whole.members.is_some());
    let part = report(|connection| {
        let unread =
            ProjectReference { pipelines: None, members: None, ..reference(2, "Shop", "sc-2", false) };
        connection.projects.push(unread);
    });
    assert!(part.pipelines.is_none() && part.members.is_none());
}

#[test]
fn only_what_was_looked_for_is_gone_from_the_baseline() {
    let secret = || Planted::new().with(2, store_secret);
    let earlier = judge(&secret().snapshot(), &settings(), &Selection::default());
    let known: Baseline = Baseline {
        layer: Layer::Use,
        findings: earlier
            .findings
            .iter()
            .map(|one| {
                let about = Earlier {
                    rule: one.rule.to_owned(),
                    organization: one.organization.clone(),
                    connection: one.connection,
                    project: one.project.clone(),
                };
                (one.fingerprint.clone(), about)
            })
            .collect(),
    };
    let gone = |planted: Planted, rules: &[&str], depth: Layer| {
        let mut snapshot = planted.snapshot();
        snapshot.depth = depth;
        let rules = rules.iter().map(|rule| (*rule).to_owned()).collect();
        let selection = Selection { rules, baseline: Some(known.clone()), ..Selection::default() };
        judge(&snapshot, &settings(), &selection).baseline.unwrap().gone
    };
    assert!(!earlier.findings.is_empty());
    assert_eq!(gone(Planted::new(), &[], Layer::Use), earlier.findings.len());
    assert_eq!(gone(Planted::new(), &["WIF6402"], Layer::Use), 0, "another rule was asked");
    assert_eq!(gone(Planted::new(), &[], Layer::List), 0, "less was read");
    let mut denied = Planted::new();
    denied.0.coverage[1].state = State::Denied;
    assert_eq!(gone(denied, &[], Layer::Use), 0, "a layer was denied");
}

#[test]
fn a_waiver_of_a_rule_that_was_not_asked_is_not_called_unused() {
    let text = "- {rule: WIF6101, name: sc-2, reason: r, owner: o, until: 2026-12-01}";
    let waivers = crate::waiver::parse_waivers(text, "w.yaml", crate::testing::now()).unwrap();
    let notices = |rules: &[&str]| {
        let rules = rules.iter().map(|rule| (*rule).to_owned()).collect();
        let selection = Selection { rules, waivers: waivers.clone(), ..Selection::default() };
        judge(&Planted::new().snapshot(), &settings(), &selection).waivers.len()
    };
    assert_eq!(notices(&[]), 1);
    assert_eq!(notices(&["WIF6101"]), 1);
    assert_eq!(notices(&["WIF6402"]), 0);
}

#[test]
fn a_finding_about_an_application_is_waived_by_its_name_or_client_id() {
    let planted = || {
        Planted::new().with(2, |_, identity| {
            let gone = crate::testing::trusting(
                "extra",
                Some(format!("https://vstoken.dev.azure.com/{}", crate::testing::ORGANIZATION)),
                Some("sc://contoso/Platform/gone".to_owned()),
            );
            identity.federated_credentials.as_mut().unwrap().push(gone);
        })
    };
    let waived = |target: &str| {
        let text = format!("- {{rule: WIF6203, {target}, reason: r, owner: o, until: 2026-12-01}}");
        let waivers = crate::waiver::parse_waivers(&text, "w.yaml", crate::testing::now()).unwrap();
        let selection = Selection { waivers, ..Selection::default() };
        let report = judge(&planted().snapshot(), &settings(), &selection);
        let of_rule: Vec<_> = report.findings.iter().filter(|one| one.rule == "WIF6203").collect();
        assert_eq!(of_rule.len(), 1);
        of_rule[0].waived.is_some()
    };
    assert!(waived("name: app-*") && waived(&format!("connection: {}", client_id(2))));
    assert!(!waived("name: sc-*") && !waived(&format!("connection: {}", client_id(3))));
}

#[test]
fn a_request_without_its_connection_is_waived_by_the_name_or_project_that_it_asks_for() {
    let waived = |target: &str| {
        let text = format!("- {{rule: WIF6601, {target}, reason: r, owner: o, until: 2026-12-01}}");
        let waivers = crate::waiver::parse_waivers(&text, "w.yaml", crate::testing::now()).unwrap();
        let selection = Selection { waivers, ..Selection::default() };
        let absent = Request { connection: "sc-new".to_owned(), ..request() };
        let asked = Settings { requests: vec![absent], ..settings() };
        let report = judge(&Planted::new().snapshot(), &asked, &selection);
        let of_rule: Vec<_> = report.findings.iter().filter(|one| one.rule == "WIF6601").collect();
        assert_eq!((of_rule.len(), of_rule[0].connection, &of_rule[0].project), (1, None, &None));
        of_rule[0].waived.is_some()
    };
    assert!(waived("connection: sc-new") && waived("name: sc-n*") && waived("project: platform"));
    assert!(!waived("connection: sc-2") && !waived("name: app-*") && !waived("project: Shop"));
}

#[test]
fn a_command_names_the_cloud_that_was_audited() {
    let commands = |cloud| {
        let planted = (2..4).fold(Planted::new(), |planted, number| planted.with(number, store_secret));
        let mut snapshot = planted.with(4, |_, identity| identity.existence = Existence::Gone).snapshot();
        snapshot.cloud = cloud;
        let absent = Request { connection: "sc-new".to_owned(), ..request() };
        let asked = Settings { requests: vec![absent], ..settings() };
        let report = judge(&snapshot, &asked, &Selection::default());
        let mut out = Vec::new();
        crate::formats::Format::Text.write(&report, &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        let next = text.lines().filter_map(|line| line.trim().strip_prefix("next: ")).map(str::to_owned);
        let all: Vec<_> = report.findings.iter().map(|one| one.command.clone()).chain(next).collect();
        all.into_iter().filter(|command| command.starts_with("wif ")).collect::<Vec<_>>()
    };
    let china = commands(Cloud::China);
    for part in
        ["convert plan ", "--all-eligible", "connection plan request.yaml", "connection plan sc-2.yaml"]
    {
        assert!(china.iter().any(|command| command.contains(part)), "{part}: {china:#?}");
    }
    assert!(china.iter().all(|command| command.contains(" --cloud china")), "{china:#?}");
    let public = commands(Cloud::Public);
    assert_eq!(public.len(), china.len());
    assert!(public.iter().all(|command| !command.contains("--cloud")), "{public:#?}");
}

#[test]
fn what_remains_beside_a_federated_credential_is_a_secret_or_a_certificate_or_not_read() {
    let shown = |plant: fn(&mut Identity)| {
        let planted = Planted::new().with(2, |_, identity| plant(identity));
        let report = judge(&planted.snapshot(), &settings(), &Selection::default());
        let mut out = Vec::new();
        crate::formats::inventory::write_chain(&report, crate::look::Look::default(), &mut out).unwrap();
        let chain = String::from_utf8(out).unwrap();
        let of_second = chain.split_once("/sc-2 ").unwrap().1;
        let line = of_second.lines().find(|line| line.contains("secret of the identity")).unwrap();
        let one = report.connections.into_iter().find(|one| one.id == connection_id(2)).unwrap();
        (one.secret_ends, line.rsplit("  ").next().unwrap().to_owned())
    };
    assert_eq!(shown(|_| {}), (None, "nothing".to_owned()));
    let (ends, line) = shown(|identity| identity.certificates = Some(vec![secret(50)]));
    assert_eq!((ends, line.contains("until ")), (secret(50).ends, true), "{line}");
    let (ends, _) = shown(|identity| {
        identity.secrets = Some(vec![secret(90)]);
        identity.certificates = Some(vec![secret(50)]);
    });
    assert_eq!(ends, secret(90).ends);
    for unread in
        [(|identity| identity.certificates = None) as fn(&mut Identity), |identity| identity.secrets = None]
    {
        assert_eq!(shown(unread), (None, "not read".to_owned()));
    }
}
