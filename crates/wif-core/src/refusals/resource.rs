//! What the access token is for, and whether the identity may have one.

use super::entry::KnownRefusal;
use crate::code::Code;

const SCOPE: (&str, &str) = (
    "name one resource: an alias, an https:// resource, a GUID, or a scope ending in /.default",
    "accessTokens: AZURE_ACCESS_TOKEN=arm (in the step's inputs)",
);
const SPELLING: (&str, &str) = (
    "check the resource's spelling; its service principal may not exist in this tenant or cloud",
    "az ad sp show --id <resource> (if there is none: az ad sp create --id <its client id>)",
);
const CONSENT: (&str, &str) = (
    "have an administrator grant the application's permissions, or assign it a role of the resource",
    "az ad app permission admin-consent --id <client id>",
);

pub(super) const KNOWN: &[KnownRefusal] = &[
    KnownRefusal::of_entra(
        500_011,
        Code::ResourceUnknown,
        "the tenant knows no such resource",
        &[
            "the resource is misspelled, or is one of another cloud",
            "its service principal does not exist in this tenant",
        ],
        SPELLING,
    ),
    KnownRefusal::of_entra(
        500_014,
        Code::ResourceUnknown,
        "the resource's service principal is disabled in this tenant",
        &["an administrator disabled it", "the tenant's subscription to the service ended"],
        ("have an administrator enable it", "az ad sp update --id <resource> --set accountEnabled=true"),
    ),
    KnownRefusal::of_entra(
        50001,
        Code::ResourceUnknown,
        "the resource is disabled or does not exist",
        &["the resource is misspelled, or is one of another cloud"],
        SPELLING,
    ),
    KnownRefusal::of_entra(
        650_052,
        Code::ResourceUnknown,
        "the tenant has not subscribed to the service",
        &["the service was never used in this tenant"],
        SPELLING,
    ),
    KnownRefusal::of_entra(
        650_057,
        Code::ResourceUnknown,
        "the resource is not one that the application asks permissions of",
        &["the application's registration does not list the resource"],
        CONSENT,
    ),
    KnownRefusal::of_entra(
        70011,
        Code::ResourceUnknown,
        "Entra does not accept the scope",
        &["the scope names no resource"],
        SCOPE,
    ),
    KnownRefusal::of_entra(
        1_002_012,
        Code::ResourceUnknown,
        "Entra does not accept the scope: it must end in /.default",
        &["the scope names single permissions, which an application cannot ask for"],
        SCOPE,
    ),
    KnownRefusal::of_entra(
        700_022,
        Code::ResourceUnknown,
        "the scope names more than one resource",
        &["one line of accessTokens names two resources"],
        SCOPE,
    ),
    KnownRefusal::of_entra(
        28002,
        Code::ResourceUnknown,
        "Entra does not accept the scope",
        &["the scope names no resource"],
        SCOPE,
    ),
    KnownRefusal::of_entra(
        28003,
        Code::ResourceUnknown,
        "the scope is empty",
        &["something on the way altered the request"],
        SCOPE,
    ),
    KnownRefusal::of_entra(
        65001,
        Code::ConsentMissing,
        "the application has no consent for the resource",
        &["an administrator has not granted the permissions that the resource asks for"],
        CONSENT,
    ),
    KnownRefusal::of_entra(
        650_056,
        Code::ConsentMissing,
        "the application lists no permission of the resource, or an administrator has not consented",
        &["the application's registration lists none", "an administrator has not consented"],
        CONSENT,
    ),
    KnownRefusal::of_entra(
        90094,
        Code::ConsentMissing,
        "an administrator must consent",
        &["the resource asks for permissions that only an administrator grants"],
        CONSENT,
    ),
    KnownRefusal::of_entra(
        501_051,
        Code::ConsentMissing,
        "the resource asks for an assignment, and the application has none",
        &["the resource's enterprise application has 'Assignment required' on"],
        (
            "have an administrator assign the application a role of the resource",
            "Entra admin center > Enterprise applications > the resource > Properties, Users and groups",
        ),
    ),
];
