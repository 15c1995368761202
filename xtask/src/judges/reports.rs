//! Who reads what an audit writes: axe-core in a real browser (the page), sarif-multitool with GitHub's rules and the official schema
//! (SARIF), and a validator of JSON schemas (what is published in `docs/schemas/`).

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use emulator::{
    Emulator, Proxy,
    organization::{MadeOrganization, OrganizationPlan, Planted},
};
use serde_json::Value;

use super::{install, kept};
use crate::{
    operator,
    process::{Result, node, output, root},
    tools::{debian, npm, read, write},
};

const BROWSER: &str = "chromium";
/// Codes of an audit or an inventory that ended as it should: nothing to say, warnings, faults, and a gap, which is planted.
const GOOD: [i32; 4] = [0, 10, 11, 12];
const FORMATS: [&str; 3] = ["json", "sarif", "html"];

/// What one audit wrote: the folder has `audit` with the name of each format behind a dot, and `inventory.json`.
struct Reports {
    what: &'static str,
    folder: PathBuf,
}

/// Whether a line of the table is good.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Judgment {
    Good,
    Bad,
    NotTested,
}

/// Audits emulated organizations, lets the judges read what came of it, and prints a table.
pub(super) fn reports() -> Result<()> {
    let home = tempfile::tempdir().map_err(|error| error.to_string())?;
    let reports = written(home.path())?;
    println!("| judge | reads | |\n|---|---|---|");
    let mut rows = of_schemas(&reports)?;
    match npm("judges", &root().join("xtask").join("judges")) {
        Ok(packages) => {
            rows.extend(of_sarif(&packages, &reports)?);
            rows.extend(of_pages(&packages, &reports)?);
        }
        Err(error) => rows.push(not_tested("axe-core, sarif-multitool", "pages, SARIF", &error)),
    }
    let count = |judgment| rows.iter().filter(|row| **row == judgment).count();
    match (count(Judgment::Bad), count(Judgment::NotTested)) {
        (0, 0) => Ok(()),
        (0, _missing) => Err("not every judge could be had: NOT TESTED".to_owned()),
        (bad, _) => {
            Err(format!("a judge does not accept what an audit writes, {bad} of {} times", rows.len()))
        }
    }
}

/// Organizations of 10 and of 300 connections, without and with everything that can be planted; the last one again with a baseline, a
/// waiver, and without a token for Azure Resource Manager, which is a gap in coverage.
fn written(home: &Path) -> Result<Vec<Reports>> {
    let program = operator::program()?;
    let plan =
        |projects, connections| OrganizationPlan::new("fabrikam").projects(projects).connections(connections);
    let cases = [
        ("10 connections", plan(3, 10)),
        ("10 connections and every fault", plan(3, 10).planted(&Planted::ALL)),
        ("300 connections and every fault", plan(30, 300).planted(&Planted::ALL)),
    ];
    let mut all = Vec::new();
    for (what, plan) in &cases {
        let emulator = Emulator::start();
        let made = emulator.add_organization(plan);
        let folder = home.join(all.len().to_string());
        audit(&program, &emulator, &made, (&folder, &[], true))?;
        all.push(Reports { what, folder: folder.clone() });
        if all.len() < cases.len() {
            continue;
        }
        let baseline = folder.join("audit.json");
        let waivers = home.join("waivers.yml");
        write(&waivers, waiver(&baseline)?)?;
        let texts = [baseline, waivers].map(|path| path.display().to_string());
        let more = ["--baseline", &texts[0], "--waivers", &texts[1]];
        let folder = home.join("again");
        audit(&program, &emulator, &made, (&folder, &more, false))?;
        all.push(Reports { what: "the same with a baseline, a waiver and a gap", folder });
    }
    Ok(all)
}

/// A waiver of stored secrets that ends today, which is the day of a report.
fn waiver(report: &Path) -> Result<String> {
    let report: Value = serde_json::from_str(&read(report)?).map_err(|error| error.to_string())?;
    let day = report["now"].as_str().and_then(|now| now.get(.."2026-11-27".len()));
    let day = day.ok_or("a report does not say when it was made")?;
    Ok(format!(
        "- {{ rule: WIF6101, name: '*', reason: being converted, owner: platform team, until: {day} }}\n"
    ))
}

/// Audits, and takes an inventory, into a new folder: `(folder, further arguments, whether there is a token for Azure Resource Manager)`.
fn audit(
    program: &Path,
    emulator: &Emulator,
    made: &MadeOrganization,
    (folder, more, reads_arm): (&Path, &[&str], bool),
) -> Result<()> {
    fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let proxy = Proxy::start(Proxy::leading_to(emulator));
    let run = |arguments: &[String]| {
        let mut command = Command::new(program);
        command.args(arguments).args(["--organization", "fabrikam"]).env_clear();
        command.envs(operator::variables(emulator, &proxy, made, made.auditor));
        if !reads_arm {
            command.env_remove("WIF_ARM_TOKEN");
        }
        let said = command.output().map_err(|error| format!("{}: {error}", program.display()))?;
        match said.status.code() {
            Some(code) if GOOD.contains(&code) => Ok(()),
            _ => Err(format!("it ended with {}: {}", said.status, String::from_utf8_lossy(&said.stderr))),
        }
    };
    let written = |format: &str, file: &str| {
        [
            "--format".to_owned(),
            format.to_owned(),
            "--output".to_owned(),
            folder.join(file).display().to_string(),
        ]
    };
    let mut arguments = vec!["audit".to_owned()];
    arguments.extend(FORMATS.iter().flat_map(|format| written(format, &format!("audit.{format}"))));
    arguments.extend(more.iter().map(|text| (*text).to_owned()));
    run(&arguments)?;
    let mut arguments = vec!["inventory".to_owned()];
    arguments.extend(written("json", "inventory.json"));
    run(&arguments)
}

/// What is published says what is written, and is itself a schema.
fn of_schemas(reports: &[Reports]) -> Result<Vec<Judgment>> {
    let python = install("judges-of-reports", "reports.txt")?;
    let version = output(Command::new(&python).args(["-m", "check_jsonschema", "--version"]))?;
    let judge = version.replace(", version", "").replace("python -m check_jsonschema", "check-jsonschema");
    let schemas = root().join("docs").join("schemas");
    let mut rows = Vec::new();
    let files = fs::read_dir(&schemas).map_err(|error| format!("{}: {error}", schemas.display()))?;
    let mut files: Vec<_> = files.filter_map(|entry| Some(entry.ok()?.path())).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "json"));
    files.sort();
    let mut check = Command::new(&python);
    check.args(["-m", "check_jsonschema", "--check-metaschema"]).args(&files);
    rows.push(row(&judge, &format!("{} published schemas", files.len()), output(&mut check)));
    for report in reports {
        for schema in ["audit", "inventory"] {
            let mut check = Command::new(&python);
            check.args(["-m", "check_jsonschema", "--schemafile"]);
            check
                .arg(schemas.join(format!("{schema}.schema.json")))
                .arg(report.folder.join(format!("{schema}.json")));
            rows.push(row(&judge, &format!("{schema}: {}", report.what), output(&mut check)));
        }
    }
    Ok(rows)
}

/// SARIF beside the official schema, all rules of the standard's own tool, and GitHub's.
fn of_sarif(packages: &Path, reports: &[Reports]) -> Result<Vec<Judgment>> {
    let python = install("judges-of-reports", "reports.txt")?;
    let package = packages.join("@microsoft").join("sarif-multitool-linux");
    let (program, schema) = (package.join("Sarif.Multitool"), package.join("sarif-2.1.0.json"));
    // The package marks it as a program in a script of its own, which npm is not let run.
    let works = output(Command::new("chmod").arg("+x").arg(&program))
        .and_then(|_marked| output(Command::new(&program).arg("--version")));
    if let Err(error) = works {
        return Ok(vec![not_tested("sarif-multitool", "SARIF", &error)]);
    }
    let manifest: Value =
        serde_json::from_str(&read(&package.join("package.json"))?).map_err(|error| error.to_string())?;
    let judge = format!("sarif-multitool {}", manifest["version"].as_str().unwrap_or_default());
    let mut rows = Vec::new();
    for report in reports {
        let file = report.folder.join("audit.sarif");
        let said = report.folder.join("said.sarif");
        let mut check = Command::new(&program);
        check.arg("validate").arg(&file).args(["--rule-kind", "Sarif;Ghas", "--level", "Error;Warning"]);
        check.args(["--kind", "Fail;Open;Review", "--log", "ForceOverwrite", "--output"]).arg(&said);
        let result = output(&mut check).and_then(|_printed| no_results(&said));
        rows.push(row(&judge, &format!("SARIF: {}", report.what), result));
        let mut check = Command::new(&python);
        check.args(["-m", "check_jsonschema", "--schemafile"]).arg(&schema).arg(&file);
        rows.push(row("the official schema", &format!("SARIF: {}", report.what), output(&mut check)));
    }
    Ok(rows)
}

/// The tool ends with 0 whatever it found: what it wrote of it has to be there, and to be empty.
fn no_results(said: &Path) -> Result<String> {
    let said: Value = serde_json::from_str(&read(said)?).map_err(|error| error.to_string())?;
    let run = &said["runs"][0];
    let results = run["results"].as_array().ok_or("the tool did not say what it found")?;
    if run["invocations"][0]["executionSuccessful"] != true {
        return Err(format!("the tool failed: {}", run["invocations"][0]));
    }
    let found =
        results.iter().map(|result| format!("{} {}", result["ruleId"], result["message"]["arguments"]));
    let found: Vec<_> = found.collect();
    if found.is_empty() { Ok(String::new()) } else { Err(found.join("; ")) }
}

/// The pages in a real browser.
fn of_pages(packages: &Path, reports: &[Reports]) -> Result<Vec<Judgment>> {
    let is_there = || output(Command::new(BROWSER).arg("--version"));
    if let Err(error) = is_there().or_else(|_absent| debian(&[BROWSER]).and_then(|()| is_there())) {
        return Ok(vec![not_tested("axe-core", "pages", &error)]);
    }
    let browser = output(Command::new("sh").args(["-c", &format!("command -v {BROWSER}")]))?;
    let mut judge = node(&[]);
    judge.arg(kept("page.js")).arg(browser).env("NODE_PATH", packages);
    for report in reports {
        judge.arg(report.what).arg(report.folder.join("audit.html"));
    }
    let judged = judge.output().map_err(|error| error.to_string())?;
    let text = String::from_utf8_lossy(&judged.stdout);
    let parsed = text.lines().filter_map(|line| {
        let mut parts = line.splitn(3, " | ");
        let (judge, reads, result) = (parts.next()?, parts.next()?, parts.next()?);
        Some(row(judge, reads, if result == "ok" { Ok(String::new()) } else { Err(result.to_owned()) }))
    });
    let rows: Vec<_> = parsed.collect();
    if rows.is_empty() || (!judged.status.success() && !rows.contains(&Judgment::Bad)) {
        return Err(format!("the pages were not judged: {}", String::from_utf8_lossy(&judged.stderr)));
    }
    Ok(rows)
}

/// Prints a line of the table.
fn row(judge: &str, reads: &str, result: Result<String>) -> Judgment {
    let (judgment, said) = match result {
        Ok(_printed) => (Judgment::Good, "ok".to_owned()),
        Err(error) => (Judgment::Bad, error.split_whitespace().collect::<Vec<_>>().join(" ")),
    };
    println!("| {judge} | {reads} | {said} |");
    judgment
}

fn not_tested(judge: &str, reads: &str, why: &str) -> Judgment {
    row(judge, reads, Err(format!("NOT TESTED: {why}")));
    Judgment::NotTested
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_the_tool_found_or_did_not_say_is_not_good() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("said.sarif");
        let judged = |run: Value| {
            write(&file, json!({ "runs": [run] }).to_string()).unwrap();
            no_results(&file)
        };
        let done = json!([{ "executionSuccessful": true }]);
        assert_eq!(judged(json!({ "results": [], "invocations": done })), Ok(String::new()));
        let found = json!([{ "ruleId": "GH2012", "message": { "arguments": ["rules[0]"] } }]);
        let error = judged(json!({ "results": found, "invocations": done })).unwrap_err();
        assert!(error.contains("GH2012") && error.contains("rules[0]"), "{error}");
        assert!(judged(json!({ "invocations": done })).is_err());
        assert!(judged(json!({ "results": [], "invocations": [{ "executionSuccessful": false }] })).is_err());
        fs::remove_file(&file).unwrap();
        assert!(no_results(&file).is_err());
    }
}
