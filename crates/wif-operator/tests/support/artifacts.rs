//! What stands in for the tasks of Azure Pipelines that keep files.

use std::{fs, path::Path};

use serde_json::json;

/// A task that keeps files, or gives them back, as the tasks of Azure Pipelines do by its service.
pub(crate) fn stand_in(folder: &Path, kept: &Path, artifact: &str, work: &str) {
    let definition = json!({
        "id": uuid::Uuid::from_u128(kept.as_os_str().len() as u128 + artifact.len() as u128),
        "name": "Artifact", "version": { "Major": 1, "Minor": 0, "Patch": 0 },
        "inputs": [{ "name": "targetPath", "type": "string" }, { "name": artifact, "type": "string" }],
        "execution": { "Node20_1": { "target": "main.js" } },
    });
    fs::write(folder.join("task.json"), definition.to_string()).unwrap();
    let kept = kept.to_str().unwrap();
    let script = format!(
        "const fs = require('fs'), p = require('path');\n\
         let path = process.env.INPUT_TARGETPATH;\n\
         let kept = p.join({kept:?}, process.env.INPUT_{});\n\
         if (fs.existsSync(path) && fs.statSync(path).isFile()) kept = p.join(kept, p.basename(path));\n\
         {work};\n",
        artifact.to_uppercase(),
    );
    fs::write(folder.join("main.js"), script).unwrap();
}
