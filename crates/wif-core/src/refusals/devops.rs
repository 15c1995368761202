//! Azure DevOps signs no id token, or shows no connection. Where an answer has no name of its own, it has one here.

use super::entry::{KnownRefusal, Name, RetryAdvice};
use crate::code::Code;

const CONNECTIONS: &str = "Project settings > Service connections > the connection";
const SHARE: &str = "in the project that owns it: Project settings > Service connections > the connection > ⋮ > Security > Project permissions > +";
const PERMIT: &str =
    "Project settings > Service connections > the connection > ⋮ > Security > Pipeline permissions > +";
const HEALTH: &str = "https://status.dev.azure.com";
const REFERENCE: &str =
    "- task: AzureWorkloadIdentity@1 with azureSubscription: <connection's name>, in each job that needs it";

/// What the words of an answer tell, where its status and type do not. The real texts of some of these are not
/// published; those words are what such a text can hardly do without. The first that fits counts.
pub(super) const WORDS: &[(&[&str], &str)] = &[
    (&["no explicit reference to service connection"], "no-explicit-reference"),
    (&["not been authorized for use"], "connection-not-authorized"),
    (&["pending", "approval"], "approval-pending"),
    (&["pending", "check"], "approval-pending"),
    (&["not shared"], "connection-not-shared"),
    (&["disabled", "not been used"], "connection-unused"),
    (&["disabled", "unused"], "connection-unused"),
    (&["service connection", "disabled"], "connection-disabled"),
    (&["TF400733"], "TF400733"),
    (&["TF400813"], "TF400813"),
    (&["TF401444"], "TF401444"),
    (&["VS800075"], "VS800075"),
];

pub(super) const KNOWN: &[KnownRefusal] = &[
    KnownRefusal::new(
        Name::DevOps("no-explicit-reference"),
        Code::ConnectionNotReferenced,
        "this stage has no explicit reference to the connection",
        &[
            "the connection is named in an earlier stage or job only, which no longer counts since March 2026",
            "its name comes from a variable that is set while the job runs",
        ],
        (
            "name the connection in an input of a step of this very stage and job, not in an earlier one",
            REFERENCE,
        ),
    ),
    KnownRefusal::new(
        Name::DevOps("oidctoken-401"),
        Code::JobTokenRefused,
        "Azure DevOps does not accept the job token",
        &[
            "the job was canceled, or has run for about 24 hours",
            "the token is a personal one, which signs no id tokens",
        ],
        (
            "run the job again; a job token ends with its job, and after about 24 hours",
            "sign in early in a long job, or split the job",
        ),
    ),
    KnownRefusal::new(
        Name::DevOps("oidctoken-302"),
        Code::JobTokenRefused,
        "Azure DevOps, or something in its place, sent to a page for signing in",
        &["the job token has ended", "a proxy or portal on the way wants people to sign in"],
        (
            "run the job again; a job token ends with its job, and after about 24 hours",
            "curl -v https://dev.azure.com (in a script step: does it answer, or a proxy?)",
        ),
    ),
    KnownRefusal::new(
        Name::DevOps("oidctoken-203"),
        Code::JobTokenRefused,
        "Azure DevOps, or something in its place, answered with a page for signing in",
        &["the job token has ended", "a proxy or portal on the way wants people to sign in"],
        (
            "run the job again; a job token ends with its job, and after about 24 hours",
            "curl -v https://dev.azure.com (in a script step: does it answer, or a proxy?)",
        ),
    ),
    KnownRefusal::new(
        Name::DevOps("TF400813"),
        Code::JobTokenRefused,
        "the identity of the token may not use this organization",
        &["the job token has ended, or is of another organization"],
        (
            "run the job again; a job token ends with its job, and after about 24 hours",
            "Organization settings > Policies, Users",
        ),
    ),
    KnownRefusal::new(
        Name::DevOps("oidctoken-404"),
        Code::ConnectionUnknown,
        "Azure DevOps finds no such connection for this job",
        &[
            "the connection was deleted after the run was queued",
            "it is not, or no longer, shared with this project",
            "it is disabled",
        ],
        (
            "check that the connection still exists, is shared with this project, and is not disabled",
            CONNECTIONS,
        ),
    ),
    KnownRefusal::new(
        Name::DevOps("connection-not-shared"),
        Code::ConnectionUnknown,
        "the connection is not shared with this project",
        &["it belongs to another project, which does not share it, or no longer"],
        ("share the connection with this project, or use one of its own", SHARE),
    ),
    KnownRefusal::new(
        Name::DevOps("connection-not-authorized"),
        Code::ConnectionUnknown,
        "the connection does not exist, is disabled, or this pipeline may not use it",
        &[
            "the pipeline is new and was never permitted to use the connection",
            "the connection was renamed or deleted",
        ],
        ("let this pipeline use the connection, and start a new run", PERMIT),
    ),
    KnownRefusal::new(
        Name::DevOps("connection-disabled"),
        Code::ConnectionDisabled,
        "the connection is disabled",
        &[
            "an administrator has disabled it",
            "Azure DevOps has disabled it after 100 days without use (since July 2026)",
        ],
        (
            "enable the connection, if it is still meant to be used",
            "Project settings > Service connections > the connection > Enable",
        ),
    ),
    KnownRefusal::new(
        Name::DevOps("connection-unused"),
        Code::ConnectionDisabled,
        "the connection is disabled, since it was not used for 100 days",
        &["Azure DevOps disables such connections since July 2026; the audit log says when"],
        (
            "enable the connection, if it is still meant to be used",
            "Project settings > Service connections > the connection > Enable",
        ),
    ),
    KnownRefusal::new(
        Name::DevOps("approval-pending"),
        Code::ApprovalPending,
        "an approval or a check of the connection is still pending",
        &[
            "no approver has approved yet",
            "a check, such as branch control or business hours, has not passed yet",
        ],
        ("approve, or wait for the check, then run the stage again", "the run's page > Review, or Checks"),
    ),
    KnownRefusal::new(
        Name::DevOps("TaskOrchestrationPlanSecurityException"),
        Code::IdTokenRefused,
        "the run's plan does not let this job in, or not yet",
        &["the plan is not ready, which passes", "the job was canceled, or the run has ended"],
        ("run the job again; if it lasts, give the ids above to the administrators of Azure DevOps", HEALTH),
    )
    .retried(RetryAdvice::Soon),
    KnownRefusal::new(
        Name::DevOps("VssInvalidPreviewVersionException"),
        Code::IdTokenRefused,
        "the server does not have this version of the API",
        &["the server is an Azure DevOps Server, which signs no id tokens"],
        (
            "run the job again; if it lasts, give the ids above to the administrators of Azure DevOps",
            "workload identity federation needs Azure DevOps Services",
        ),
    ),
    KnownRefusal::new(
        Name::DevOps("oidctoken-405"),
        Code::IdTokenRefused,
        "the request came by another method than POST",
        &["a proxy turned the POST into a GET, as some do after a redirect"],
        (
            "let the proxy pass requests to Azure DevOps as they are",
            "curl -v -X POST https://dev.azure.com (in a script step: is it answered by Azure DevOps?)",
        ),
    ),
    KnownRefusal::new(
        Name::DevOps("VS800075"),
        Code::ConnectionUnknown,
        "the project does not exist, or the identity may not see it",
        &["the project was renamed or deleted", "the token's identity has no access to the project"],
        (
            "check the project's name, and that the token's identity may read it",
            "Project settings > Permissions",
        ),
    ),
    KnownRefusal::new(
        Name::DevOps("TF401444"),
        Code::JobTokenRefused,
        "the identity was never added to the organization",
        &["a service principal or managed identity must be added as a user"],
        (
            "add the identity to the organization, with a license of at least Basic",
            "Organization settings > Users > Add users",
        ),
    ),
    KnownRefusal::new(
        Name::DevOps("TF400733"),
        Code::ServiceUnavailable,
        "Azure DevOps throttles this pipeline or identity",
        &["its requests have used up what Azure DevOps grants within five minutes"],
        ("run the job again later, and let fewer jobs start at once", "Organization settings > Usage"),
    )
    .retried(RetryAdvice::Passing),
    KnownRefusal::new(
        Name::DevOps("oidctoken-503"),
        Code::ServiceUnavailable,
        "Azure DevOps is unavailable",
        &["Azure DevOps has an outage"],
        ("run the job again later; look at the health of Azure DevOps", HEALTH),
    )
    .retried(RetryAdvice::Passing),
];
