use std::process::ExitCode;
use std::time::SystemTime;

use super::arguments::{CacheArguments, CacheCommand};
use super::output;
use nixdive_base::text::{display_bytes, display_name};
use nixdive_source::cache::{Cache, DEFAULT_BYTES, Item};

/// Lists the cache, clears it, or prints its path.
pub fn run(arguments: &CacheArguments) -> anyhow::Result<ExitCode> {
    let place = Cache::place().ok_or_else(|| anyhow::anyhow!("no cache: neither XDG_CACHE_HOME nor HOME is set"))?;
    let cache = Cache::new(&place, DEFAULT_BYTES);
    let shown = display_name(place.as_os_str().as_encoded_bytes()).into_owned();
    match arguments.command {
        CacheCommand::Path => output::print(|out| writeln!(out, "{shown}"))?,
        CacheCommand::List => {
            let items = cache.items();
            output::print(|out| {
                for item in items.iter().rev() {
                    let (bytes, used) = (display_bytes(item.file_bytes), age(item));
                    writeln!(
                        out,
                        "{:<16} {bytes:>8}  {used:>8}  {}",
                        item.kind.name(),
                        display_name(item.title.as_bytes())
                    )?;
                }
                writeln!(out, "{} files, {} in {shown}", items.len(), display_bytes(total(&items)))
            })?;
        }
        CacheCommand::Clear => {
            let items = cache.clear().map_err(|error| anyhow::anyhow!("{shown}: {error}"))?;
            output::print(|out| writeln!(out, "{} files, {} removed", items.len(), display_bytes(total(&items))))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn total(items: &[Item]) -> u64 {
    items.iter().map(|item| item.file_bytes).fold(0, u64::saturating_add)
}

/// Time since an item was last used, in its largest unit.
fn age(item: &Item) -> String {
    let seconds = SystemTime::now().duration_since(item.used).unwrap_or_default().as_secs();
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        7200..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} d", seconds / 86_400),
    }
}
