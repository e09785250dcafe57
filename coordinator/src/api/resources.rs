//! Notes and nullifiers, as of the head of the tree.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Query, State};
use hypha_protocol::ids::{nullifier_key, nullifier_of_id, resource_key, word};
use hypha_protocol::json::ResourceJson;
use serde::Serialize;
use utoipa::ToSchema;

use super::forms::{self, Parameters, Segment};
use super::problem::{Code, Problem};
use super::{Api, Shared};
use crate::notes::{Filter, Note, Origin};

/// A note.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ResourceView {
    id: String,
    resource: ResourceJson,
    /// Its key in the tree.
    key: String,
    /// What spends it.
    nullifier: String,
    /// The nullifier's key in the tree.
    nullifier_key: String,
    created: OriginView,
    /// Left out while it is unspent.
    #[serde(skip_serializing_if = "Option::is_none")]
    spent: Option<OriginView>,
}

/// Which operation did something, in which batch.
#[derive(Serialize, ToSchema)]
pub(crate) struct OriginView {
    index: String,
    transfer: String,
}

/// A page of notes.
#[derive(Serialize, ToSchema)]
pub(crate) struct ResourcePage {
    resources: Vec<ResourceView>,
    /// Where the next page begins; left out when there is none. A page can be short and still not the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    cursor: Option<String>,
}

/// A nullifier.
#[derive(Serialize, ToSchema)]
pub(crate) struct NullifierView {
    nullifier: String,
    /// Its key in the tree.
    key: String,
    spent: bool,
    /// The batch that spent it.
    #[serde(skip_serializing_if = "Option::is_none")]
    index: Option<String>,
    /// The operation that spent it.
    #[serde(skip_serializing_if = "Option::is_none")]
    transfer: Option<String>,
}

impl From<&Origin> for OriginView {
    fn from(origin: &Origin) -> Self {
        Self { index: origin.index.to_string(), transfer: origin.operation.to_string() }
    }
}

impl From<&Note> for ResourceView {
    fn from(note: &Note) -> Self {
        let nullifier = nullifier_of_id(note.id);
        Self {
            id: note.id.to_string(),
            resource: ResourceJson::from(&note.resource),
            key: word(resource_key(note.resource.domainId, note.id)).to_string(),
            nullifier: nullifier.to_string(),
            nullifier_key: word(nullifier_key(nullifier)).to_string(),
            created: OriginView::from(&note.created),
            spent: note.spent.as_ref().map(OriginView::from),
        }
    }
}

/// Notes in order of creation.
#[utoipa::path(get, path = "/v1/resources",
    params(
        ("owner" = Option<String>, Query, description = "only this owner's"),
        ("domain" = Option<String>, Query, description = "only of this chain id"),
        ("kind" = Option<String>, Query, description = "only of this kind"),
        ("unspent" = Option<bool>, Query, description = "only unspent, or only spent ones"),
        ("limit" = Option<u64>, Query, description = "most notes in the page"),
        ("cursor" = Option<String>, Query, description = "from the page before"),
    ),
    responses((status = 200, body = ResourcePage)))]
pub(crate) async fn list(
    State(api): Shared,
    Query(query): Query<Vec<(String, String)>>,
) -> Result<Json<ResourcePage>, Problem> {
    let mut parameters = Parameters::new(query);
    let filter = Filter {
        owner: parameters.address("owner")?,
        domain: parameters.number("domain")?,
        kind: parameters.word("kind")?,
        unspent: parameters.flag("unspent")?,
    };
    let after = parameters.number("cursor")?;
    let limit = parameters.limit(api.context.limits.page)?;
    parameters.finish()?;
    let page = page(api, filter, after, limit).await?;
    Ok(Json(page))
}

/// A page takes up to milliseconds, so it is made off the runtime's threads.
async fn page(
    api: Arc<Api>,
    filter: Filter,
    after: Option<u64>,
    limit: usize,
) -> Result<ResourcePage, Problem> {
    let made = tokio::task::spawn_blocking(move || {
        let page = api.context.ledger.state().notes.page(&filter, after, limit);
        let resources = page.notes.iter().map(ResourceView::from).collect();
        ResourcePage { resources, cursor: page.next.map(|position| position.to_string()) }
    });
    made.await.map_err(|_| Problem::new(Code::ShuttingDown, "shutting down"))
}

/// One note.
#[utoipa::path(get, path = "/v1/resources/{id}", params(("id" = String, Path, description = "resource id")),
    responses((status = 200, body = ResourceView), (status = 404, description = "a problem document")))]
pub(crate) async fn get_resource(
    State(api): Shared,
    Segment(id): Segment,
) -> Result<Json<ResourceView>, Problem> {
    let id = forms::word("id", &id)?;
    let state = api.context.ledger.state();
    let note = state.notes.get(&id).map(ResourceView::from);
    note.map(Json).ok_or_else(|| Problem::new(Code::NotFound, format!("no note {id} is in the tree")))
}

/// Whether a nullifier is spent.
#[utoipa::path(get, path = "/v1/nullifiers/{nullifier}",
    params(("nullifier" = String, Path, description = "the nullifier itself, not its key")),
    responses((status = 200, body = NullifierView)))]
pub(crate) async fn get_nullifier(
    State(api): Shared,
    Segment(nullifier): Segment,
) -> Result<Json<NullifierView>, Problem> {
    let nullifier = forms::word("nullifier", &nullifier)?;
    let state = api.context.ledger.state();
    let spent = state.notes.of_nullifier(&nullifier).and_then(|note| note.spent);
    Ok(Json(NullifierView {
        nullifier: nullifier.to_string(),
        key: word(nullifier_key(nullifier)).to_string(),
        spent: spent.is_some(),
        index: spent.map(|origin| origin.index.to_string()),
        transfer: spent.map(|origin| origin.operation.to_string()),
    }))
}
