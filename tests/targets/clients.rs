//! The command lines of AWS, Google Cloud, docker and Terraform, where they are installed; elsewhere nothing is proved.

use emulator::directory::clouds::{AWS_ROLE, GOOGLE_ACCOUNT, GOOGLE_PROVIDER};

use super::{LIFE, REGION, exec, exec_with_google};

#[test]
fn the_aws_cli_signs_its_requests_with_the_sessions_credentials() {
    let case = exec("sts.amazonaws.com");
    case.emulator.directory().clouds.longest_life = Some(LIFE);
    let (url, ca) = (case.emulator.clouds_url(), case.emulator.ca_file().display().to_string());
    let case = case
        .set("AWS_ENDPOINT_URL_STS", &url)
        .set("AWS_ENDPOINT_URL_ECR", &url)
        .set("AWS_CA_BUNDLE", &ca)
        .set("HOME", "/nonexistent")
        .option("--aws-role", AWS_ROLE)
        .option("--aws-region", REGION);
    let script = "command -v aws > /dev/null || { echo absent; exit; }
         aws configure list | grep access_key
         login() { aws ecr get-authorization-token --query 'authorizationData[0].authorizationToken' --output text; }
         login; end=$(($(date +%s) + LIFE)); while test \"$(date +%s)\" -le \"$end\"; do sleep 0.1; done; login";
    let found = case.prints(&script.replace("LIFE", &LIFE.to_string()));
    if found.trim() == "absent" {
        println!("NOT TESTED: no aws");
        return;
    }
    let directory = case.emulator.directory();
    let sessions = &directory.clouds.aws.sessions;
    let is_shown = |key: &str| found.contains(&key[key.len() - 4..]);
    assert!(found.contains("container-role"), "{found}");
    assert!(sessions.len() >= 2 && sessions.iter().any(|session| is_shown(&session.key[0])), "{found}");
    // The emulator's registry checks the signature, and that the session lives, before it gives a login.
    assert_eq!(directory.clouds.aws.registry_passwords.len(), 2, "{found}\n{}", case.emulator.journal_text());
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

#[test]
fn the_docker_cli_is_signed_in_to_a_registry_by_its_own_configuration_alone() {
    let case = exec("x");
    let registry = case.emulator.clouds_url().replace("https://", "");
    let ca = case.emulator.ca_file().display().to_string();
    let home = tempfile::tempdir().unwrap();
    let case = case
        .set("SSL_CERT_FILE", &ca)
        .set("HOME", &home.path().display().to_string())
        .set("REGISTRY", &registry)
        .option("--registries", &registry);
    let found = case.prints(
        "command -v docker > /dev/null || { echo absent; exit; }
         docker manifest inspect \"$REGISTRY/app:1\" 2>&1
         DOCKER_CONFIG=/nonexistent docker manifest inspect \"$REGISTRY/other:1\" 2>&1 || echo refused",
    );
    if found.trim() == "absent" {
        println!("NOT TESTED: no docker");
        return;
    }
    // The emulator's list of manifests is empty, which docker calls an error; what counts is that it got one.
    let journal = case.emulator.journal_text();
    assert!(journal.contains("GET /v2/app/manifests/1 -> 200"), "{found}\n{journal}");
    assert!(found.contains("unauthorized") && !journal.contains("GET /v2/other/"), "{found}\n{journal}");
}

#[test]
fn terraforms_s3_backend_keeps_its_state_with_the_sessions_credentials() {
    let case = exec("sts.amazonaws.com");
    let url = case.emulator.clouds_url();
    let folder = tempfile::tempdir().unwrap();
    // `use_lockfile` is left out: it is not what is looked at.
    let main = r#"terraform {
  backend "s3" {
    bucket                      = "state"
    key                         = "app"
    endpoints                   = { s3 = "ENDPOINT" }
    use_path_style              = true
    skip_credentials_validation = true
    skip_requesting_account_id  = true
    skip_metadata_api_check     = true
  }
}
output "kept" {
  value = "yes"
}
"#;
    std::fs::write(folder.path().join("main.tf"), main).unwrap();
    let case = case
        .set("AWS_ENDPOINT_URL_STS", &url)
        .set("HOME", &folder.path().display().to_string())
        .set("CHECKPOINT_DISABLE", "1")
        .set("FOLDER", &folder.path().display().to_string())
        .option("--aws-role", AWS_ROLE)
        .option("--aws-region", REGION);
    let found = case.prints(
        "cd \"$FOLDER\"
         command -v moto_server > /dev/null && command -v terraform > /dev/null || { echo absent; exit; }
         python3 -c 'import socket; s = socket.socket(); s.bind((\"127.0.0.1\", 0)); print(s.getsockname()[1])' > port
         port=$(cat port); moto_server -p \"$port\" > moto.log 2>&1 & moto=$!
         trap 'kill $moto' EXIT
         port=$(cat port); sed -i \"s#ENDPOINT#http://127.0.0.1:$port#\" main.tf
         curl -s --retry 100 --retry-connrefused --retry-delay 0 -X PUT \"http://127.0.0.1:$port/state\" > /dev/null
         terraform init -input=false -no-color > init.log 2>&1 || { cat init.log moto.log; exit 0; }
         terraform apply -input=false -no-color -auto-approve > apply.log 2>&1 || { cat apply.log; exit 0; }
         terraform output -raw -no-color kept; echo
         grep -o 'PUT /state/app' moto.log | head -1
         rm -r .terraform; env -u AWS_CONTAINER_CREDENTIALS_FULL_URI terraform init -input=false -no-color 2>&1 | grep -o 'No valid credential sources found' | head -1",
    );
    if found.trim() == "absent" {
        println!("NOT TESTED: no moto_server or no terraform");
        return;
    }
    assert_eq!(
        found.lines().collect::<Vec<_>>(),
        ["yes", "PUT /state/app", "No valid credential sources found"],
        "{found}"
    );
}
