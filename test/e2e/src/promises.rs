//! What clients of a devnet were promised and told, and whether it was true (`checker`).

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use alloy::primitives::B256;
use hypha_protocol::operations::Operation;

use crate::FINALIZED_WITHIN;
use crate::checker::{self, Batch, Confirmation, End, Evidence, Lie, Spoke, Told};
use crate::devnet::{ChainInfo, Devnet};
use crate::events::{Event, Events, Heard};
use crate::http::Api;
use crate::rpc::Rpc;
use crate::waiting::{block_on, wait_until};

/// Time to wait for an event before looking whether the test is over.
const LISTEN: Duration = Duration::from_millis(200);

type AllTold = Arc<Mutex<BTreeMap<B256, Vec<Told>>>>;

/// A client that listens from the beginning, so that it is told of each end when it comes.
#[derive(Debug)]
pub(crate) struct Listener {
    told: AllTold,
    acknowledged: Mutex<BTreeMap<B256, Operation>>,
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Listener {
    pub(crate) fn start(api: Api, chains: Vec<ChainInfo>) -> Self {
        let (told, over) = (AllTold::default(), Arc::<AtomicBool>::default());
        let ears = Ears { api, chains, told: told.clone(), over: over.clone() };
        let thread = Some(std::thread::spawn(move || ears.listen()));
        Self { told, acknowledged: Mutex::default(), over, thread }
    }

    /// Remembers an operation that was answered 202.
    pub(crate) fn remember(&self, id: B256, operation: Operation) {
        self.acknowledged.lock().expect("no test panics while it holds this").insert(id, operation);
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.over.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            thread.join().ok(); // its panic has been printed
        }
    }
}

/// What runs in the listener's thread.
struct Ears {
    api: Api,
    chains: Vec<ChainInfo>,
    told: AllTold,
    over: Arc<AtomicBool>,
}

impl Ears {
    /// Follows the events of a service that may be killed at any time.
    fn listen(self) {
        let mut seen = 0;
        while !self.over.load(Ordering::SeqCst) {
            match Events::try_open(&self.api, seen) {
                Some(events) => self.follow(events, &mut seen),
                None => block_on(async { tokio::time::sleep(LISTEN).await }),
            }
        }
    }

    /// Until the stream breaks, or the service cannot be asked about an event, which then comes again.
    fn follow(&self, mut events: Events, seen: &mut u64) {
        while !self.over.load(Ordering::SeqCst) {
            match events.next(LISTEN) {
                Heard::Event(event) if self.hear(&event) => *seen = event.id,
                Heard::Nothing => {}
                Heard::Event(_) | Heard::End => return,
            }
        }
    }

    /// Takes an event in. Gives whether it could.
    fn hear(&self, event: &Event) -> bool {
        let is_end = ["finalized", "rejected"].contains(&event.word.as_str());
        // What resolves a request was not handed in.
        if !is_end || !event.data["request"].is_null() {
            return true;
        }
        let id: B256 = event.data["transfer"].as_str().and_then(|id| id.parse().ok()).expect("an id");
        let Some(end) = end_of(&self.api, &id) else { return false };
        if let Some(end) = end {
            let told = Told { end, heads: heads(&self.chains) };
            self.told.lock().expect("as above").entry(id).or_default().push(told);
        }
        true
    }
}

/// How far each chain is.
fn heads(chains: &[ChainInfo]) -> BTreeMap<u64, checker::Head> {
    chains.iter().map(|chain| (chain.id, Rpc::new(&chain.rpc).head())).collect()
}

/// How an operation ended, as the service says; `None` when it does not answer.
fn end_of(api: &Api, id: &B256) -> Option<Option<End>> {
    let view = api.try_get(&format!("/v1/transfers/{id}"))?;
    let text = |value: &serde_json::Value| value.as_str().map(str::to_owned);
    Some(match view["status"].as_str()? {
        "rejected" => Some(End::Rejected(text(&view["reason"]["code"]).unwrap_or_default())),
        "finalized" => Some(End::Finalized(text(&view["index"])?.parse().ok()?)),
        _ => None,
    })
}

impl Devnet {
    /// Requires that every promise was kept (`checker`): waits until all that was acknowledged has ended, and looks at the
    /// chains.
    ///
    /// # Panics
    /// When one was not.
    pub fn check_promises(&self) {
        let acknowledged = self.listener.acknowledged.lock().expect("as above").clone();
        acknowledged.keys().for_each(|id| self.ask_for_end(id));
        let logs = |chain: &ChainInfo| Rpc::new(&chain.rpc).logs(chain.verifier);
        let spokes = self.spokes().iter().map(|chain| Spoke::in_logs(chain.id, &logs(chain))).collect();
        let hub_logs = logs(self.hub());
        let evidence = Evidence {
            acknowledged,
            told: self.listener.told.lock().expect("as above").clone(),
            hub: self.hub().id,
            batches: Batch::in_logs(&hub_logs),
            confirmations: Confirmation::in_logs(&hub_logs),
            spokes,
        };
        let lies = checker::check(&evidence);
        assert!(lies.is_empty(), "{}", lies.iter().map(Lie::to_string).collect::<Vec<_>>().join("\n"));
        let (operations, batches) = (evidence.acknowledged.len(), evidence.batches.len());
        println!("{operations} acknowledged operations and {batches} batches: every promise kept");
    }

    /// Waits until an operation has ended and the listener has heard that; and asks once more, as somebody who comes later.
    fn ask_for_end(&self, id: &B256) {
        let last_told = || Some(self.listener.told.lock().expect("as above").get(id)?.last()?.end.clone());
        let what = format!("{id} has ended");
        wait_until(&what, FINALIZED_WITHIN, last_told);
        let end = wait_until(&what, FINALIZED_WITHIN, || end_of(&self.api, id).flatten());
        if last_told().as_ref() != Some(&end) {
            let told = Told { end, heads: heads(&self.chains) };
            self.listener.told.lock().expect("as above").entry(*id).or_default().push(told);
        }
    }
}
