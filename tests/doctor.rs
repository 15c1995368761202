//! `diagnose: true`: ten misconfigurations, each named, and no other.

use emulator::{
    Fault, Service,
    directory::{App, Kind},
};
use uuid::Uuid;
use wif::error::Code;

use crate::support::{Case, Run};

/// A case whose doctor may read whom applications trust.
fn sighted(case: Case) -> Case {
    let reader = Uuid::new_v4();
    let tenant = case.emulator.usual().tenant;
    let app = App { reads_applications: true, ..App::new(reader, Kind::Application) };
    case.emulator.directory().tenant(tenant).apps.push(app);
    let token = case.emulator.access_token(reader, "https://graph.microsoft.com");
    case.set("WIF_GRAPH_TOKEN", &token).input("diagnose", "true")
}

fn with_names() -> Case {
    sighted(Case::new())
}

fn with_ids() -> Case {
    sighted(Case::with_entra_issuer())
}

/// The verdict of each check, in order, as `verdict subject`.
fn verdicts(run: &Run) -> Vec<String> {
    let verdict =
        |line: &str| ["ok ", "warning ", "FAULT ", "skipped "].iter().any(|word| line.starts_with(word));
    run.out.lines().filter(|line| verdict(line)).map(|line| line[..35].trim().to_owned()).collect()
}

#[test]
fn look() {
    let case = with_names();
    case.emulator.directory().app(case.emulator.usual().client).federated_credentials[0].subject =
        "sc://contoso/platform/sc-prod".to_owned();
    let run = case.run();
    println!("{}", run.out);
    if let Err(failure) = run.result {
        println!("{failure}");
    }
    println!("{}", case.emulator.journal_text());
    println!("{:?}", verdicts(&case.run()));
    let _ = (Fault::connect(Service::Arm), Code::Bug, with_ids());
    panic!();
}
