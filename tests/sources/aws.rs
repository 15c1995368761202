//! A role of AWS as the source.

use emulator::{Service, directory::SourceIssuer};

use super::presented;
use crate::support::{ExecCase, errors};

#[test]
fn a_role_of_aws_signs_its_request_and_an_account_that_has_not_enabled_it_is_told_to() {
    let case = ExecCase::of(SourceIssuer::Aws, "aws");
    assert_eq!(case.prints("wif token graph >/dev/null; echo $?"), "0\n");
    assert_eq!(presented(&case), "arn:aws:iam::123456789012:role/deploy");
    case.emulator.directory().sources.is_permitted = false;
    let (code, said) = case.refuses();
    assert_eq!(code, 3, "{said}");
    assert!(
        said.contains("OutboundWebIdentityFederationDisabled") && said.contains("aws iam enable-outbound"),
        "{said}"
    );
    let wrong = case.set("AWS_SECRET_ACCESS_KEY", "hunter2");
    let (code, said) = wrong.refuses();
    assert_eq!(code, 3, "{said}");
    assert!(said.contains("SignatureDoesNotMatch") && !said.contains("hunter2"), "{said}");
    let (code, said) = wrong.unset("AWS_REGION").refuses();
    assert_eq!(code, 2, "{said}");
    assert!(said.contains("set AWS_REGION"), "{said}");
}

/// A process that has a role of AWS, and no keys in its environment.
fn without_keys() -> ExecCase {
    let case = ExecCase::of(SourceIssuer::Aws, "aws");
    case.unset("AWS_ACCESS_KEY_ID").unset("AWS_SECRET_ACCESS_KEY").unset("AWS_SESSION_TOKEN")
}

const SIGNED_IN: &str = "wif token graph >/dev/null; echo $?";

#[test]
fn the_keys_of_a_role_come_from_its_containers_service() {
    let case = without_keys();
    let credential = case.emulator.directory().sources.credential.clone();
    let url = format!("{}/aws/container/keys", case.emulator.machine_url().trim_end_matches('/'));
    let case = case
        .set("AWS_CONTAINER_CREDENTIALS_FULL_URI", &url)
        .set("AWS_CONTAINER_AUTHORIZATION_TOKEN", &credential);
    assert_eq!(case.prints(SIGNED_IN), "0\n");
    assert_eq!(presented(&case), "arn:aws:iam::123456789012:role/deploy");
    assert_eq!(case.emulator.count(Service::Machine, "GET /aws/container/keys"), 1);
    // EKS writes the key into a file, which it replaces: it wins, and ends with its line.
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), format!("{credential}\n")).unwrap();
    let path = file.path().display().to_string();
    let case = case
        .set("AWS_CONTAINER_AUTHORIZATION_TOKEN", "hunter2")
        .set("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", &path);
    assert_eq!(case.prints(SIGNED_IN), "0\n");
    let (code, said) = case.unset("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE").refuses();
    assert_eq!(code, 3, "{said}");
    assert!(said.contains("WIF2042") && said.contains("401") && !said.contains("hunter2"), "{said}");
}

#[test]
fn a_containers_key_goes_to_no_other_machine_without_tls_and_its_file_must_be_there() {
    let case = without_keys()
        .set("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://192.0.2.7/keys")
        .set("AWS_CONTAINER_AUTHORIZATION_TOKEN", "hunter2");
    let (code, said) = case.refuses();
    assert_eq!(code, 2, "{said}");
    assert!(said.contains("leads to another machine without TLS") && !said.contains("hunter2"), "{said}");
    let url = format!("{}/aws/container/keys", case.emulator.machine_url().trim_end_matches('/'));
    let case = case
        .set("AWS_CONTAINER_CREDENTIALS_FULL_URI", &url)
        .set("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "/no/such/file");
    let (code, said) = case.refuses();
    assert_eq!(code, 2, "{said}");
    assert!(said.contains("the file of AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE cannot be read"), "{said}");
    assert_eq!(case.emulator.count(Service::Machine, "GET"), 0);
}

#[test]
fn the_keys_of_a_role_come_from_its_instance_by_the_second_version_of_the_metadata_service() {
    let case = without_keys();
    let url = case.emulator.machine_url();
    let case = case.set("AWS_EC2_METADATA_SERVICE_ENDPOINT", &url);
    assert_eq!(case.prints(SIGNED_IN), "0\n");
    assert_eq!(presented(&case), "arn:aws:iam::123456789012:role/deploy");
    assert_eq!(case.emulator.count(Service::Machine, "PUT /latest/api/token"), 1);
}

#[test]
fn a_pods_token_stands_for_a_role_and_the_role_for_an_identity() {
    let case = without_keys();
    let token = case.emulator.source_id_token(SourceIssuer::Kubernetes, "sts.amazonaws.com", 300);
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), format!("{token}\n")).unwrap();
    let path = file.path().display().to_string();
    let role = "arn:aws:iam::123456789012:role/deploy";
    let case = case.set("AWS_WEB_IDENTITY_TOKEN_FILE", &path).set("AWS_ROLE_ARN", role);
    assert_eq!(case.prints(SIGNED_IN), "0\n");
    assert_eq!(presented(&case), role);
    let case = case.set("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/other");
    let (code, said) = case.refuses();
    assert_eq!(code, 3, "{said}");
    assert!(said.contains("AccessDenied"), "{said}");
    let (code, said) = case.set("AWS_WEB_IDENTITY_TOKEN_FILE", "/no/such/file").refuses();
    assert_eq!(code, 2, "{said}");
    assert!(said.contains("the file of AWS_WEB_IDENTITY_TOKEN_FILE cannot be read"), "{said}");
}

#[test]
fn a_command_that_is_signed_in_as_a_role_of_aws_does_not_find_the_role_of_its_source() {
    let case = ExecCase::of(SourceIssuer::Aws, "aws").option("--exports", "none");
    let look = [
        "sh",
        "-c",
        "echo \"${AWS_ACCESS_KEY_ID-}${AWS_SECRET_ACCESS_KEY-}${AWS_SESSION_TOKEN-}.\"
        case ${AWS_CONTAINER_CREDENTIALS_FULL_URI-} in http://127.0.0.1:*/aws) echo broker;; esac",
    ];
    let printed = |case: &ExecCase| {
        let output = case.run(&look);
        (String::from_utf8(output.stdout.clone()).unwrap(), errors(&output))
    };
    let (found, _) = printed(&case);
    assert!(found.len() > 40 && !found.contains("broker"), "the command keeps what it was given: {found}");

    let role = case.emulator.directory().sources.subject(SourceIssuer::Aws);
    let (found, said) = printed(&case.option("--aws-role", &role).option("--aws-region", "eu-central-1"));
    assert_eq!(found, ".\nbroker\n", "{said}");
    let names = "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN";
    assert!(said.contains(names) && said.contains("it is the source's role"), "{said}");
    assert_eq!(said.matches("AWS_ACCESS_KEY_ID").count(), 1, "told twice: {said}");
}
