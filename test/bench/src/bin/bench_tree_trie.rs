//! Serves sparse-merkle-tree built with its feature `trie`; see the library.

fn main() -> anyhow::Result<()> {
    hypha_bench::run()
}
