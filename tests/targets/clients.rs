//! The command lines of AWS and Google Cloud, where they are installed; elsewhere nothing is proved.

use emulator::directory::clouds::{AWS_ROLE, GOOGLE_ACCOUNT, GOOGLE_PROVIDER};

use super::{REGION, exec, exec_with_google};

#[test]
fn the_aws_cli_signs_its_requests_with_the_sessions_credentials() {
    let case = exec("sts.amazonaws.com");
    let (url, ca) = (case.emulator.clouds_url(), case.emulator.ca_file().display().to_string());
    let case = case
        .set("AWS_ENDPOINT_URL_STS", &url)
        .set("AWS_ENDPOINT_URL_ECR", &url)
        .set("AWS_CA_BUNDLE", &ca)
        .set("HOME", "/nonexistent")
        .option("--aws-role", AWS_ROLE)
        .option("--aws-region", REGION);
    let found = case.prints(
        "command -v aws > /dev/null || { echo absent; exit; }
         aws configure list | grep access_key
         aws ecr get-authorization-token --query 'authorizationData[0].authorizationToken' --output text",
    );
    if found.trim() == "absent" {
        println!("NOT TESTED: no aws");
        return;
    }
    let directory = case.emulator.directory();
    let [session] = &directory.clouds.aws.sessions[..] else { panic!("one session") };
    let shown: String = session.key[0].chars().rev().take(4).collect::<Vec<_>>().into_iter().rev().collect();
    assert!(found.contains("container-role") && found.contains(&shown), "{found}");
    // The emulator's registry checks the signature before it gives a login.
    assert_eq!(directory.clouds.aws.registry_passwords.len(), 1, "{found}\n{}", case.emulator.journal_text());
}

#[test]
fn gcloud_gets_access_tokens_by_the_source_and_by_the_exchange() {
    let (case, proxy) = exec_with_google();
    let ca = case.emulator.ca_file().display().to_string();
    let settings = tempfile::tempdir().unwrap();
    let case = case
        .set("HTTPS_PROXY", &proxy.url())
        .set("NO_PROXY", "127.0.0.1")
        .set("CLOUDSDK_CORE_CUSTOM_CA_CERTS_FILE", &ca)
        .set("REQUESTS_CA_BUNDLE", &ca)
        .set("CLOUDSDK_CONFIG", &settings.path().display().to_string())
        .option("--google-provider", GOOGLE_PROVIDER)
        .option("--google-project", "my-project")
        .option("--google-service-account", GOOGLE_ACCOUNT);
    let look = "command -v gcloud > /dev/null || { echo absent; exit; }
        gcloud auth print-access-token --quiet | cut -c1-7; gcloud config get-value project";
    let found = case.prints(look);
    if found.trim() == "absent" {
        println!("NOT TESTED: no gcloud");
        return;
    }
    assert_eq!(found.lines().collect::<Vec<_>>(), ["ya29.c.", "my-project"]);
    let found = case.option("--allowed-resources", "google").prints(look);
    assert_eq!(found.lines().collect::<Vec<_>>(), ["ya29.c.", "my-project"], "the id token stays inside");
}
