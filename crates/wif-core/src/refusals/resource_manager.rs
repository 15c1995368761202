//! Azure Resource Manager and Microsoft Graph: the sign-in works, and what it is for does not.

use super::entry::{KnownRefusal, Name, RetryAdvice};
use crate::code::Code;

const ASSIGN: &str = "az role assignment create --assignee-object-id <object id> --assignee-principal-type ServicePrincipal --role Reader --scope <scope>";
const SUBSCRIPTION: (&str, &str) = (
    "check the connection's subscription id, and that the identity has a role in the subscription",
    "az account show --subscription <subscription id>",
);
const AGAIN: &str = "run the job again later; look at the health of Azure";
const HEALTH: (&str, &str) = (AGAIN, "https://azure.status.microsoft");
const TOKEN: (&str, &str) = (
    "check the connection's environment and URL: the access token is for another service or cloud",
    "Project settings > Service connections > the connection > Edit",
);

pub(super) const KNOWN: &[KnownRefusal] = &[
    KnownRefusal::new(
        Name::ResourceManager("AuthorizationFailed"),
        Code::RoleMissing,
        "federation works, and the identity lacks a role",
        &[
            "the identity has no role at this scope, or one without this action",
            "the role was assigned minutes ago",
            "the role was assigned to another identity of the same name",
        ],
        (
            "assign the identity a role with this action at this scope; a new assignment may need minutes",
            ASSIGN,
        ),
    ),
    KnownRefusal::new(
        Name::ResourceManager("LinkedAuthorizationFailed"),
        Code::RoleMissing,
        "the identity lacks a role on another resource that the request refers to",
        &["what is used together lies in another group or subscription, where the identity has no role"],
        ("assign the identity a role at the linked scope, too", ASSIGN),
    ),
    KnownRefusal::new(
        Name::ResourceManager("SubscriptionNotFound"),
        Code::SubscriptionUnusable,
        "there is no such subscription, or the identity has no role in it",
        &[
            "the connection's subscription id is wrong, or the subscription was deleted",
            "the identity has no role anywhere in it, so that it is not shown",
        ],
        SUBSCRIPTION,
    ),
    KnownRefusal::new(
        Name::ResourceManager("InvalidSubscriptionId"),
        Code::SubscriptionUnusable,
        "the subscription id is malformed",
        &["the connection's subscription id is wrong"],
        SUBSCRIPTION,
    ),
    KnownRefusal::new(
        Name::ResourceManager("InvalidAuthenticationTokenTenant"),
        Code::SubscriptionUnusable,
        "the subscription belongs to another tenant than the connection",
        &[
            "the subscription was moved to another tenant",
            "the connection's tenant id is that of another tenant",
        ],
        (
            "use a connection of the subscription's tenant",
            "az account show --subscription <subscription id> --query tenantId",
        ),
    ),
    KnownRefusal::new(
        Name::ResourceManager("ReadOnlyDisabledSubscription"),
        Code::SubscriptionUnusable,
        "the subscription is disabled",
        &["it was canceled, or its bill was not paid"],
        (
            "have the subscription's owner enable it",
            "Azure portal > Subscriptions > the subscription > Reactivate",
        ),
    ),
    KnownRefusal::new(
        Name::ResourceManager("ExpiredAuthenticationToken"),
        Code::AssertionExpired,
        "the access token has ended",
        &["the token was fetched long before it was used", "this machine's clock is wrong"],
        ("fetch the token again, shortly before it is used", "wif token arm (in a later step)"),
    ),
    KnownRefusal::new(
        Name::ResourceManager("InvalidAuthenticationTokenAudience"),
        Code::CloudMismatch,
        "the access token is for another service or cloud",
        &["the connection's URL and environment do not fit together"],
        TOKEN,
    ),
    KnownRefusal::new(
        Name::ResourceManager("InvalidAuthenticationToken"),
        Code::CloudMismatch,
        "this service does not accept the access token",
        &["the connection's URL leads to another cloud or a stand-in", "the token was altered on its way"],
        TOKEN,
    ),
    KnownRefusal::new(
        Name::ResourceManager("AuthenticationFailed"),
        Code::CloudMismatch,
        "the service saw no access token",
        &["a proxy removed the Authorization header"],
        ("let the proxy pass requests to Azure as they are", "curl -v https://management.azure.com"),
    ),
    KnownRefusal::new(
        Name::ResourceManager("TooManyRequests"),
        Code::ServiceUnavailable,
        "the service throttles this identity or subscription",
        &["many jobs ask at once"],
        (AGAIN, "let fewer jobs start at once"),
    )
    .retried(RetryAdvice::Passing),
    KnownRefusal::new(
        Name::ResourceManager("ServerTimeout"),
        Code::ServiceUnavailable,
        "the service took too long",
        &["the service has an outage"],
        HEALTH,
    )
    .retried(RetryAdvice::Passing),
    KnownRefusal::new(
        Name::ResourceManager("Authorization_RequestDenied"),
        Code::RoleMissing,
        "the token's identity may not read applications in Microsoft Graph",
        &["it has no permission such as Application.Read.All, and does not own the application"],
        (
            "run the doctor with an account that may read the application, or compare by hand",
            "az ad app federated-credential list --id <client id>",
        ),
    ),
    KnownRefusal::new(
        Name::ResourceManager("Request_ResourceNotFound"),
        Code::ApplicationUnknown,
        "Microsoft Graph finds no application with the connection's client id in the token's tenant",
        &["the identity is a managed identity", "the application was deleted, or lives in another tenant"],
        ("check the connection's client and tenant id", "az ad sp show --id <client id>"),
    ),
];
