//! Clients of feeds, clusters and registries as later steps of a job, past the end of the first token, where they are installed;
//! elsewhere nothing is proved.
#![cfg(target_os = "linux")]

use std::{
    fs,
    io::{BufRead as _, BufReader},
    process::{Child, Command, Stdio},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use emulator::{
    ClientCertificate, Emulator,
    agent::{Agent, JobReport},
    directory::clouds::Cluster,
};

use crate::tool_credentials::{has, job};

/// How long everything lives that is given out, in seconds.
const LIFE: i64 = 6;

/// A job in which everything that is given out ends soon; nothing, where a tool is missing.
fn short_job(
    inputs: &[(&str, &str)],
    script: &str,
    change: impl FnOnce(&Emulator, Agent) -> Agent,
) -> Result<(Emulator, JobReport), String> {
    // Waits until an access token for a resource has ended that was fresh when this began.
    let wait = "past() { end=$(wif token --no-mask \"$1\" | python3 -c 'import base64, json, sys; print(json.loads(base64.urlsafe_b64decode(sys.stdin.read().split(\".\")[1] + \"==\"))[\"exp\"])'); \
                while test \"$(date +%s)\" -le \"$end\"; do sleep 0.1; done; }";
    let (emulator, report) = job(inputs, &format!("set -e\n{wait}\n{script}"), |emulator, agent| {
        emulator.directory().lifetimes.access_token = LIFE;
        emulator.directory().clouds.longest_life = Some(LIFE);
        change(emulator, agent)
    });
    // The script itself stands in the log too, before it runs.
    let missing = report.log.lines().find_map(|line| line.split_once(' ')?.1.strip_prefix("absent: "));
    match missing {
        Some(missing) => Err(missing.to_owned()),
        None => Ok((emulator, report)),
    }
}

/// What was found; a test without its tool ends here, and says so.
macro_rules! or_not_tested {
    ($found:expr) => {
        match $found {
            Ok(found) => found,
            Err(missing) => {
                println!("NOT TESTED: no {missing}");
                return;
            }
        }
    };
}

/// A feed with one package, which a wheel is made for in the folder of the step.
const WHEEL: &str = r#"python3 - <<'END'
import zipfile
with zipfile.ZipFile('library-1.0-py3-none-any.whl', 'w') as wheel:
    wheel.writestr('library.py', 'name = "library"\n')
    info = 'library-1.0.dist-info/'
    wheel.writestr(info + 'METADATA', 'Metadata-Version: 2.1\nName: library\nVersion: 1.0\n')
    wheel.writestr(info + 'WHEEL', 'Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n')
    wheel.writestr(info + 'RECORD', 'library.py,,\n' + info + 'METADATA,,\n' + info + 'WHEEL,,\n' + info + 'RECORD,,\n')
END
feed=REGISTRY/contoso/_packaging/main/pypi
export REQUESTS_CA_BUNDLE="$SSL_CERT_FILE" PIP_CERT="$SSL_CERT_FILE"
"#;

const FEED: [(&str, &str); 3] = [
    ("exports", "artifacts"),
    ("feeds", "https://REGISTRY/contoso/_packaging/main/nuget/v3/index.json"),
    ("allowedAuthorities", "127.0.0.1"),
];

#[test]
fn twine_uploads_with_what_the_keyring_gives_and_again_when_that_has_ended() {
    let script = r#"command -v twine > /dev/null || { echo 'absent: twine'; exit; }
        upload() { TWINE_USERNAME=VssSessionToken TWINE_PASSWORD="$1" twine upload --non-interactive --disable-progress-bar --repository-url "https://$feed/upload/" "$2"; }
        give() { keyring get "https://$feed/upload/" VssSessionToken; }
        first=$(give); upload "$first" library-1.0-py3-none-any.whl && echo 'the first is there'
        past devops
        cp library-1.0-py3-none-any.whl library-1.0-1-py3-none-any.whl
        upload "$first" library-1.0-1-py3-none-any.whl > refused.log 2>&1 || grep -o '401 Unauthorized' refused.log | head -1
        upload "$(give)" library-1.0-1-py3-none-any.whl && echo 'the second is there'"#;
    let found = short_job(&FEED, &format!("{WHEEL}{script}"), |_, agent| agent);
    let (emulator, report) = or_not_tested!(found);
    has(&report, &emulator, &["the first is there", "401 Unauthorized", "the second is there"]);
    assert_eq!(emulator.directory().clouds.packages.len(), 2, "{}", report.log);
}

#[test]
fn pip_asks_the_keyring_anew_when_its_first_token_has_ended() {
    let script = r#"
        get() { python3 -m pip --isolated --no-input --disable-pip-version-check --no-cache-dir --keyring-provider "$PIP_KEYRING_PROVIDER" --cert "$PIP_CERT" \
            download --quiet --no-deps --dest "$1" --index-url "https://VssSessionToken@$feed/simple/" library; }
        python3 -m pip --version > /dev/null 2>&1 || { echo 'absent: pip'; exit; }
        curl -sf --cacert "$SSL_CERT_FILE" -u "x:$(keyring get "https://$feed/" x)" -F content=@library-1.0-py3-none-any.whl "https://$feed/upload/"
        get one; past devops; get two
        cmp one/library-1.0-py3-none-any.whl two/library-1.0-py3-none-any.whl && echo 'both are the same'
        PIP_KEYRING_PROVIDER=disabled; get three || echo 'nothing without the keyring'"#;
    let found = short_job(&FEED, &format!("{WHEEL}{script}"), |_, agent| agent);
    let (emulator, report) = or_not_tested!(found);
    has(&report, &emulator, &["both are the same", "nothing without the keyring"]);
}

#[test]
fn uv_asks_the_keyring_anew_when_its_first_token_has_ended() {
    let script = r#"
        command -v uv > /dev/null || { echo 'absent: uv'; exit; }
        get() { uv pip install --quiet --no-config --no-cache --no-deps --python python3 --target "$1" --index-url "https://VssSessionToken@$feed/simple/" library; }
        curl -sf --cacert "$SSL_CERT_FILE" -u "x:$(keyring get "https://$feed/" x)" -F content=@library-1.0-py3-none-any.whl "https://$feed/upload/"
        get one; past devops; get two
        cmp one/library.py two/library.py && echo 'both are the same'
        UV_KEYRING_PROVIDER=disabled; get three || echo 'nothing without the keyring'"#;
    let found = short_job(&FEED, &format!("{WHEEL}{script}"), |_, agent| agent);
    let (emulator, report) = or_not_tested!(found);
    has(&report, &emulator, &["both are the same", "nothing without the keyring"]);
}

#[test]
fn kubernetes_client_for_python_gets_a_new_token_when_its_first_has_ended() {
    let id = "/subscriptions/$AZURE_SUBSCRIPTION_ID/resourceGroups/rg/providers/Microsoft.ContainerService/managedClusters/prod";
    let script = format!(
        r#"python3 -c 'import kubernetes' 2> /dev/null || {{ echo 'absent: kubernetes for Python'; exit; }}
        wif kubeconfig "{id}" --output kubeconfig
        python3 - <<'END'
import time
from kubernetes import client, config
config.load_kube_config('kubeconfig')
api = client.AuthenticationV1Api()
seen = []
for turn in range(2):
    answer = api.create_self_subject_review(client.V1SelfSubjectReview())
    seen.append(str(api.api_client.configuration.api_key))
    print('the cluster says', answer.kind, answer.status.user_info.groups[0])
    end = time.time() + {LIFE} + 1
    while turn == 0 and time.time() < end:
        time.sleep(0.1)
print('tokens', len(set(seen)))
END"#
    );
    let found = short_job(&[("exports", "none")], &script, |emulator, agent| {
        emulator.directory().clusters = vec![Cluster {
            name: "prod".to_owned(),
            server: format!("{}/kubernetes", emulator.clouds_url()),
            certificate_authority: STANDARD.encode(fs::read(emulator.ca_file()).unwrap()),
            takes_entra_tokens: true,
        }];
        agent
    });
    let (emulator, report) = or_not_tested!(found);
    has(&report, &emulator, &["tokens 2"]);
    assert_eq!(
        report.log.matches("the cluster says SelfSubjectReview system:authenticated").count(),
        2,
        "{}",
        report.log
    );
}

/// Debian's registry, which takes tokens of the emulator's token service only; it ends when it is dropped.
struct Registry {
    child: Child,
    port: u16,
    _folder: tempfile::TempDir,
}

impl Registry {
    /// Nothing, where it is not installed.
    fn start(own: &str) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str| folder.path().join(name).display().to_string();
        fs::write(file("key.pem"), &ClientCertificate::registry().certificate).unwrap();
        let settings = format!(
            "version: 0.1\nlog: {{level: info}}\nstorage: {{filesystem: {{rootdirectory: {}}}}}\nhttp: {{addr: \"127.0.0.1:0\"}}\n\
             auth: {{token: {{realm: \"https://{own}/oauth2/token\", service: \"{own}\", issuer: \"Azure Container Registry\", rootcertbundle: {}}}}}\n",
            file("content"),
            file("key.pem")
        );
        fs::write(file("config.yml"), settings).unwrap();
        let mut command = Command::new("docker-registry");
        command.args(["serve", &file("config.yml")]).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().ok()?;
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
        let line = lines.find(|line| line.contains("listening on ")).unwrap();
        let port = line.split("listening on 127.0.0.1:").nth(1).unwrap();
        let port = port.split(|c: char| !c.is_ascii_digit()).next().unwrap().parse().unwrap();
        // Whatever it says later is read away.
        std::thread::spawn(move || lines.for_each(drop));
        Some(Self { child, port, _folder: folder })
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ended = self.child.kill().and_then(|()| self.child.wait());
    }
}

/// An image with one file, as a layout of the OCI.
const IMAGE: &str = r"python3 - <<'END'
import gzip, hashlib, io, json, os, tarfile
os.makedirs('image/blobs/sha256')
def blob(data, kind):
    digest = hashlib.sha256(data).hexdigest()
    open('image/blobs/sha256/' + digest, 'wb').write(data)
    return {'mediaType': 'application/vnd.oci.image.' + kind, 'digest': 'sha256:' + digest, 'size': len(data)}
raw = io.BytesIO()
with tarfile.open(fileobj=raw, mode='w') as tar:
    entry = tarfile.TarInfo('hello'); entry.size = 5
    tar.addfile(entry, io.BytesIO(b'hello'))
layer = blob(gzip.compress(raw.getvalue()), 'layer.v1.tar+gzip')
config = blob(json.dumps({'architecture': 'amd64', 'os': 'linux', 'rootfs': {'type': 'layers', 'diff_ids': ['sha256:' + hashlib.sha256(raw.getvalue()).hexdigest()]}}).encode(), 'config.v1+json')
manifest = blob(json.dumps({'schemaVersion': 2, 'mediaType': 'application/vnd.oci.image.manifest.v1+json', 'config': config, 'layers': [layer]}).encode(), 'manifest.v1+json')
manifest['annotations'] = {'org.opencontainers.image.ref.name': '1'}
json.dump({'schemaVersion': 2, 'manifests': [manifest]}, open('image/index.json', 'w'))
json.dump({'imageLayoutVersion': '1.0.0'}, open('image/oci-layout', 'w'))
END
";

#[test]
fn skopeo_pushes_to_debians_registry_and_pulls_when_the_first_token_has_ended() {
    let registry = std::cell::OnceCell::new();
    let script = r#"command -v skopeo > /dev/null && command -v docker-registry > /dev/null || { echo 'absent: skopeo or docker-registry'; exit; }
        policy='--insecure-policy'
        skopeo $policy copy oci:image:1 docker://REGISTRY/app:1 && echo pushed
        past https://containerregistry.azure.net
        skopeo $policy copy docker://REGISTRY/app:1 dir:pulled && echo pulled
        skopeo $policy inspect --raw docker://REGISTRY/app:1 | grep -o '"schemaVersion": 2'
        DOCKER_CONFIG=/nonexistent skopeo $policy inspect --raw docker://REGISTRY/app:1 || echo 'nothing without the helper'"#;
    let inputs = [("registries", "REGISTRY"), ("exports", "none")];
    let found = short_job(&inputs, &format!("{IMAGE}{script}"), |emulator, agent| {
        let own = emulator.clouds_url().replace("https://", "");
        if let Some(started) = Registry::start(&own) {
            emulator.directory().clouds.registry = Some(started.port);
            registry.set(started).ok();
        }
        agent.machine_env("HOME", "/nonexistent")
    });
    let (emulator, report) = or_not_tested!(found);
    has(&report, &emulator, &["pushed", "pulled", "\"schemaVersion\": 2", "nothing without the helper"]);
    let exchanges = emulator.count(emulator::Service::Clouds, "POST /oauth2/exchange");
    assert!(exchanges >= 2, "{exchanges}: {}", emulator.journal_text());
}
