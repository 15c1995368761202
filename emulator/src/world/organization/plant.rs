//! Makes connections with something wrong in them.

use serde_json::json;
use time::Duration;
use uuid::{Uuid, uuid};

use super::maker::{Maker, READER};
use super::planted::Planted;
use crate::world::clock::graph_moment;
use crate::world::directory::devops::{Connection, Issuer, Scope};
use crate::world::directory::entra::{App, ClientSecret, FederatedCredential, Kind};
use crate::world::directory::records::{Person, SecurityRole, SharedWith, Sight};
use crate::world::identity::EXCHANGE_AUDIENCE;

const OWNER: Uuid = uuid!("8e3af657-a8ff-443c-a75c-2fe8c4bcb635");
const CONTRIBUTOR: Uuid = uuid!("b24988ac-6180-42a0-ab88-20f7382dd24c");

impl Maker {
    /// Adds a connection with this fault, and returns its id.
    pub(super) fn plant(&mut self, what: Planted) -> Uuid {
        let name = format!("sc-{}", words(what));
        let (mut connection, mut app) = self.both(&name);
        let (mut has_app, mut trusted, now) = (true, true, self.now);
        let secret = |app: &mut App, days: i64| {
            app.secrets.push(ClientSecret {
                value: format!("client-secret-{}", app.client_id.simple()),
                expires: Some(now + Duration::days(days)),
            });
        };
        match what {
            Planted::StoredSecret | Planted::SecretEnded | Planted::SecretEndsSoon => {
                let days = match what {
                    Planted::SecretEnded => -5,
                    Planted::SecretEndsSoon => 12,
                    _ => 80,
                };
                secret(&mut app, days);
                connection = connection.with_secret(&format!("client-secret-{}", app.client_id.simple()));
                connection.data.insert("creationMode".to_owned(), "Automatic".to_owned());
                trusted = false;
            }
            Planted::StoredCertificate => {
                app.record.certificate_ends.push(now + Duration::days(80));
                connection = connection.with_certificate("-----BEGIN CERTIFICATE-----");
                trusted = false;
            }
            Planted::ClassicType => {
                "azure".clone_into(&mut connection.record.kind);
                "Certificate".clone_into(&mut connection.scheme);
                connection.parameters.clear();
                connection.parameters.insert("certificate".to_owned(), "MIIC".to_owned());
                connection.data.insert("subscriptionId".to_owned(), self.subscription.to_string());
                has_app = false;
            }
            Planted::PublishProfile => {
                "PublishProfile".clone_into(&mut connection.scheme);
                has_app = false;
            }
            Planted::MachineIdentity => {
                connection = connection.of_machine();
                has_app = false;
            }
            Planted::OtherTypeWithSecret => {
                "dockerregistry".clone_into(&mut connection.record.kind);
                "UsernamePassword".clone_into(&mut connection.scheme);
                connection.parameters.clear();
                for (name, value) in [("username", "ci"), ("password", "registry-password"), ("registry", "https://index.docker.io/v1/")] {
                    connection.parameters.insert(name.to_owned(), value.to_owned());
                }
                has_app = false;
            }
            Planted::SecretBesideFederation => secret(&mut app, 40),
            Planted::RevertOpen => {
                let until = graph_moment(now + Duration::days(4));
                connection.data.insert("revertSchemeDeadline".to_owned(), until);
            }
            Planted::OldIssuer => connection.issuer = Issuer::DevOps,
            Planted::NoMatchingCredential => {
                let mut other = self.credential(0, &connection);
                other.subject = other.subject.to_uppercase();
                app.federated_credentials.push(other);
                trusted = false;
            }
            Planted::CredentialOfGoneConnection => {
                let gone = Connection { id: self.id(), ..connection.clone() };
                let credential = FederatedCredential { name: "of-a-gone-one".to_owned(), ..self.credential(0, &gone) };
                app.federated_credentials.push(credential);
            }
            Planted::ManyCredentials => {
                for number in 0..18 {
                    app.federated_credentials.push(FederatedCredential {
                        name: format!("github-{number}"),
                        issuer: "https://token.actions.githubusercontent.com".to_owned(),
                        subject: format!("repo:contoso/app-{number}:ref:refs/heads/main"),
                        audience: EXCHANGE_AUDIENCE.to_owned(),
                    });
                }
            }
            Planted::FlexibleCredential => app.record.more_credentials.push(json!({
                "id": self.id(), "name": "flexible", "issuer": "https://token.actions.githubusercontent.com",
                "subject": null, "audiences": [EXCHANGE_AUDIENCE],
                "claimsMatchingExpression": { "value": "claims['sub'] matches 'repo:contoso/*'", "languageVersion": 1 },
            })),
            Planted::WrongSubject => {
                let other = Connection { id: self.id(), ..connection.clone() };
                let subject = self.credential(0, &other).subject;
                connection.parameters.insert("workloadIdentityFederationSubject".to_owned(), subject);
            }
            Planted::MultiTenantApplication => app.multi_tenant = true,
            Planted::DisabledApplication => app.disabled = true,
            Planted::DeletedApplication => app.record.deleted = true,
            Planted::NoOwner => app.record.owners.clear(),
            Planted::GuestOwner => {
                "bob_fabrikam.com#EXT#@contoso.onmicrosoft.com".clone_into(&mut app.record.owners[0].unique_name);
            }
            Planted::SharedIdentity => {
                let mut second = Connection { id: self.id(), ..connection.clone() };
                second.name = format!("{}-2", connection.name);
                app.federated_credentials.push(self.credential(0, &second));
                self.add(0, second, None, false);
            }
            Planted::SubscriptionGone => {
                let gone = self.id();
                connection.scope = Scope::Subscription(gone);
                connection.parameters.insert("scope".to_owned(), format!("/subscriptions/{gone}"));
            }
            Planted::SubscriptionRenamed => {
                connection.data.insert("subscriptionName".to_owned(), "The old name".to_owned());
            }
            Planted::OpenToAll => connection.record.open_to_all = true,
            Planted::GonePipeline => connection.record.pipelines.push(999),
            Planted::SharedWithProject | Planted::SharedWithPublicProject => {
                let other = self.organization.projects.last_mut().expect("one project at least");
                other.record.public |= what == Planted::SharedWithPublicProject;
                let (project, name) = (other.id, connection.name.clone());
                connection.record.shared_with.push(SharedWith { project, name });
            }
            Planted::BroadGroup => connection.record.roles.push(SecurityRole {
                role: "User".to_owned(),
                identity: "[Project 0000]\\Contributors".to_owned(),
                inherited: false,
            }),
            Planted::ProductionWithoutChecks => "sc-shop-prod".clone_into(&mut connection.name),
            Planted::OwnerRole => {
                let scope = self.group_scope();
                self.assign(app.object_id, (OWNER, "Owner"), scope);
            }
            Planted::ContributorOnSubscription => {
                let scope = format!("/subscriptions/{}", self.subscription);
                connection.parameters.insert("scope".to_owned(), scope.clone());
                self.assign(app.object_id, (CONTRIBUTOR, "Contributor"), scope);
            }
            Planted::RoleOutsideScope => {
                let scope = format!("/subscriptions/{}/resourceGroups/rg-network", self.subscription);
                self.assign(app.object_id, (READER, "Reader"), scope);
            }
            Planted::NoRole | Planted::ManagedIdentity => {}
            Planted::NeverUsed => connection.record.history.clear(),
            Planted::UnusedForLong => {
                for one in &mut connection.record.history {
                    one.started = now - Duration::days(85);
                    one.finished = Some(one.started + Duration::minutes(4));
                }
            }
            Planted::Disabled => connection.disabled = true,
            Planted::CreationFailed => connection.record.unready = Some("Failed".to_owned()),
            Planted::CreatorGone => {
                connection.record.created_by =
                    Some(Person { id: self.id(), name: "Eve Maurer".to_owned(), unique_name: "eve@contoso.com".to_owned(), disabled: true, gone: true });
            }
            Planted::NoDescription => connection.record.description.clear(),
            Planted::PartlyVisible => connection.record.sight = Sight::Partial,
        }
        if what == Planted::ManagedIdentity {
            app.kind = Kind::ManagedIdentity;
            app.record.owners.clear();
            app.record.subscription = Some(self.subscription);
            connection.data.insert("identityType".to_owned(), "ManagedIdentity".to_owned());
        }
        let object = app.object_id;
        let id = self.add(0, connection, has_app.then_some(app), trusted);
        if what == Planted::NoRole {
            self.roles.retain(|one| one.principal != object);
        }
        id
    }
}

/// `StoredSecret` as `stored-secret`.
fn words(what: Planted) -> String {
    let mut text = String::new();
    for letter in format!("{what:?}").chars() {
        if letter.is_uppercase() && !text.is_empty() {
            text.push('-');
        }
        text.push(letter.to_ascii_lowercase());
    }
    text
}
