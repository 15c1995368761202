//! WIF6302: authorized pipelines that are gone.

use serde_json::json;

use crate::{
    rule::{Context, Draft, Remedy, Rule, command},
    severity::Severity,
    snapshot::Existence,
};

/// The rule.
pub const RULE: Rule = Rule {
    code: "WIF6302",
    title: "Authorized pipelines that are gone",
    severity: Severity::Note,
    remedy: Remedy::CleanUp,
    check,
};

fn check(context: &Context<'_>, found: &mut Vec<Draft>) {
    for entry in context.visible() {
        let mut gone = Vec::new();
        let mut command = None;
        for project in &entry.connection.projects {
            let pipelines = project.pipelines.iter().flat_map(|permissions| &permissions.pipelines);
            let ids: Vec<_> = pipelines
                .filter(|pipeline| pipeline.existence == Existence::Gone)
                .map(|pipeline| pipeline.id)
                .collect();
            if !ids.is_empty() {
                gone.extend(ids.iter().map(|id| json!({ "id": id, "project": project.name })));
                command.get_or_insert_with(|| command::unauthorize(entry, project.id, &ids));
            }
        }
        let Some(command) = command else { continue };
        let detail = match gone.len() {
            1 => "a pipeline that does not exist is authorized to use it".to_owned(),
            count => format!("{count} pipelines that do not exist are authorized to use it"),
        };
        let finding = Draft::of(entry, Severity::Note, detail)
            .evidence_list("pipelines", gone)
            .fix("take their authorization back", command);
        found.push(finding);
    }
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::{
        snapshot::Existence,
        testing::{count, one},
    };

    #[test]
    fn wif6302_finds_authorized_pipelines_that_are_gone() {
        let set = |existence| {
            move |connection: &mut crate::snapshot::connection::Connection| {
                connection.projects[0].pipelines.as_mut().unwrap().pipelines[0].existence = existence;
            }
        };
        let found = one(&RULE, |connection, _| set(Existence::Gone)(connection));
        assert!(
            found.command.contains(r#"{"pipelines":[{"id":7,"authorized":false}]}"#),
            "{}",
            found.command
        );
        assert_eq!(count(&RULE, |connection, _| set(Existence::Unknown)(connection)), 0);
    }
}
