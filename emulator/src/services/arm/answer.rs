//! The answers of the resource manager, with its headers.

use axum::response::Response;
use serde_json::Value;
use uuid::Uuid;

use crate::services::answer::{json_answer, set_header};
use crate::services::arm::refusal::Refusal;
use crate::world::World;

/// The JSON, or the refusal, as a response.
pub(super) fn answered(world: &World, answer: Result<Value, Refusal>) -> Response {
    let mut answer = match answer {
        Ok(value) => json_answer(200, &value),
        Err(refusal) => {
            let mut answer = json_answer(refusal.status, &refusal.body());
            if refusal.status == 401 {
                let challenge = refusal.challenge(&world.urls.entra);
                set_header(answer.headers_mut(), "www-authenticate", &challenge);
            }
            answer
        }
    };
    let id = Uuid::new_v4().to_string();
    set_header(answer.headers_mut(), "x-ms-request-id", &id);
    set_header(answer.headers_mut(), "x-ms-correlation-request-id", &id);
    answer
}
