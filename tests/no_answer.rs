//! What the doctor reads from Azure Resource Manager and Microsoft Graph is asked for again when an answer is no answer. That
//! the list of subscriptions is asked for once only is in `az`.

use emulator::{Fault, Service, directory::Kind};

use crate::{doctor::reader, support::Case};

/// What a service does once.
type Mishap = fn(Fault) -> Fault;

/// What comes instead of an answer.
const NO_ANSWERS: [(&str, Mishap); 5] = [
    ("the connection is reset", Fault::reset),
    ("the answer is cut off", Fault::truncate),
    ("200 without a body", |fault| fault.status(200)),
    ("200 with a page of a proxy", |fault| fault.html("<html><title>Please wait</title></html>")),
    ("200 with half of the JSON", |fault| fault.body("application/json; charset=utf-8", r#"{"value":["#)),
];

/// Which service is asked, how the path ends, and whether the identity is a managed one.
const READS: [(Service, &str, bool); 6] = [
    (Service::Graph, "/servicePrincipals(appId='{client}')", false),
    (Service::Graph, "/applications(appId='{client}')/federatedIdentityCredentials", false),
    (Service::Arm, "/subscriptions/{subscription}", false),
    (Service::Arm, "/providers/Microsoft.Authorization/roleAssignments", false),
    (Service::Arm, "/providers/Microsoft.ManagedIdentity/userAssignedIdentities", true),
    (Service::Arm, "/federatedIdentityCredentials", true),
];

/// A diagnosis that may read everything.
fn diagnosis(managed: bool) -> Case {
    let case = Case::with_entra_issuer().input("diagnose", "true");
    if managed {
        let client = case.emulator.usual().entra_client;
        case.emulator.directory().app(client).kind = Kind::ManagedIdentity;
    }
    let tokens = [
        ("WIF_ARM_TOKEN", "https://management.azure.com"),
        ("WIF_GRAPH_TOKEN", "https://graph.microsoft.com"),
    ];
    tokens.into_iter().fold(case, |case, (name, resource)| {
        let token = reader(&case.emulator, resource);
        case.set(name, &token)
    })
}

/// The verdicts of a diagnosis, and how often it asked for this.
fn diagnose(case: &Case, service: Service, path: &str) -> (Vec<String>, usize) {
    let run = case.run();
    assert!(run.result.is_ok(), "{}\n{}", run.out, case.emulator.journal_text());
    let is_verdict = |line: &&str| ["ok ", "warning ", "skipped "].iter().any(|word| line.starts_with(word));
    let verdict = |line: &str| line.split_whitespace().take(3).collect::<Vec<_>>().join(" ");
    let verdicts = run.out.lines().filter(is_verdict).map(verdict).collect();
    let journal = case.emulator.journal();
    let asked = journal.iter().filter(|entry| entry.service == service && entry.path.ends_with(path)).count();
    (verdicts, asked)
}

#[test]
fn an_answer_that_is_no_answer_is_asked_for_again() {
    for (service, path, managed) in READS {
        let usual = diagnosis(managed);
        let path = path
            .replace("{client}", &usual.emulator.usual().entra_client.to_string())
            .replace("{subscription}", &usual.emulator.usual().subscription.to_string());
        let (verdicts, asked) = diagnose(&usual, service, &path);
        assert_eq!(asked, 1, "GET {path}\n{}", usual.emulator.journal_text());
        for (what, fault) in NO_ANSWERS {
            let case = diagnosis(managed);
            case.emulator.fault(fault(Fault::on(service, "GET", &path)));
            let found = diagnose(&case, service, &path);
            assert_eq!(found, (verdicts.clone(), 2), "{what}: GET {path}\n{}", case.emulator.journal_text());
        }
    }
}
