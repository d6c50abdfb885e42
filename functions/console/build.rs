//! Compresses the page's files at build time.

use flate2::{Compression, write::GzEncoder};
use std::{env, error::Error, fs, io::Write as _, path::Path};

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=built");
    let packed = env::var("OUT_DIR")?;
    for file in fs::read_dir("built")? {
        let file = file?;
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(&fs::read(file.path())?)?;
        fs::write(Path::new(&packed).join(file.file_name()).with_added_extension("gz"), encoder.finish()?)?;
    }
    Ok(())
}
