//! A disk whose power can be cut.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};

use hypha_chain::StoreError;
use hypha_chain::ports::{Change, Row, Store};

type Tables = BTreeMap<&'static str, BTreeMap<Vec<u8>, Vec<u8>>>;

/// Writes that a lying disk keeps to itself.
const KEPT_BACK: usize = 3;

/// What outlives power cuts.
#[derive(Default)]
pub(super) struct Disk {
    content: Mutex<Content>,
    /// Acknowledges before it writes.
    lies: bool,
}

#[derive(Default)]
struct Content {
    /// What is read.
    view: Tables,
    /// What is there after a power cut: the same, unless the disk lies.
    durable: Tables,
    kept_back: VecDeque<Vec<Change>>,
}

impl Disk {
    pub(super) fn honest() -> Arc<Self> {
        Arc::default()
    }

    pub(super) fn lying() -> Arc<Self> {
        Arc::new(Self { lies: true, ..Self::default() })
    }

    fn content(&self) -> MutexGuard<'_, Content> {
        self.content.lock().unwrap()
    }

    /// A power cut: what was not written is gone.
    pub(super) fn cut(&self) {
        let mut content = self.content();
        content.kept_back.clear();
        content.view = content.durable.clone();
    }

    fn write(&self, changes: Vec<Change>) {
        let mut content = self.content();
        apply(&mut content.view, &changes);
        content.kept_back.push_back(changes);
        let keep = if self.lies { KEPT_BACK } else { 0 };
        while content.kept_back.len() > keep {
            let oldest = content.kept_back.pop_front().unwrap();
            apply(&mut content.durable, &oldest);
        }
    }
}

fn apply(tables: &mut Tables, changes: &[Change]) {
    for change in changes {
        match change {
            Change::Put { table, key, value } => {
                tables.entry(table).or_default().insert(key.clone(), value.clone());
            }
            Change::Delete { table, key } => {
                tables.entry(table).or_default().remove(key);
            }
        }
    }
}

/// When the power is cut, and what becomes of the write in which that happens.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fate {
    /// Writes before.
    pub(super) writes: u64,
    /// Whether the write is there all the same, though nobody was told.
    pub(super) lands: bool,
}

/// The disk in one life of a process. What is left of that life can do nothing to the next.
pub(super) struct Life {
    disk: Arc<Disk>,
    left: Mutex<Option<Fate>>,
    dead: Mutex<bool>,
}

impl Life {
    /// A life with this end, or none.
    pub(super) fn new(disk: Arc<Disk>, end: Option<Fate>) -> Arc<Self> {
        Arc::new(Self { disk, left: Mutex::new(end), dead: Mutex::new(false) })
    }

    pub(super) fn is_dead(&self) -> bool {
        *self.dead.lock().unwrap()
    }

    /// Ends it, if it goes on.
    pub(super) fn end(&self) {
        *self.dead.lock().unwrap() = true;
        self.disk.cut();
    }
}

impl Store for Life {
    fn get(&self, table: &'static str, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.disk.content().view.get(table).and_then(|rows| rows.get(key).cloned()))
    }

    fn scan(&self, table: &'static str, from: &[u8], limit: usize) -> Result<Vec<Row>, StoreError> {
        let content = self.disk.content();
        let rows = content.view.get(table).into_iter().flat_map(|rows| rows.range(from.to_vec()..));
        Ok(rows.take(limit).map(|(key, value)| (key.clone(), value.clone())).collect())
    }

    fn last(&self, table: &'static str) -> Result<Option<Row>, StoreError> {
        let content = self.disk.content();
        let row = content.view.get(table).and_then(BTreeMap::last_key_value);
        Ok(row.map(|(key, value)| (key.clone(), value.clone())))
    }

    fn write(&self, changes: Vec<Change>) -> Result<(), StoreError> {
        let cut = || Err(StoreError::Failed("power cut".to_owned()));
        let mut dead = self.dead.lock().unwrap();
        if *dead {
            return cut();
        }
        match self.left.lock().unwrap().as_mut() {
            Some(Fate { writes: 0, lands }) => {
                if *lands {
                    self.disk.write(changes);
                }
                *dead = true;
                return cut();
            }
            Some(fate) => fate.writes -= 1,
            None => {}
        }
        self.disk.write(changes);
        Ok(())
    }
}
