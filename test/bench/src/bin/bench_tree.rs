//! Measures the tree beside its peers; see the library.

fn main() -> anyhow::Result<()> {
    hypha_bench::run()
}
