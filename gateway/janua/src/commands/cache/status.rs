//! `janua cache status`: the content of the cache, and how it handled requests.

use janua_admin::CacheStatus;

use super::super::table::{Table, counted, number, size};
use super::super::{CommandResult, Output, reach};
use super::failure;
use crate::cli::Reach;

pub(in crate::commands) fn status(reach: &Reach) -> CommandResult {
    let client = reach::client(reach)?;
    let status = client.cache().map_err(failure)?;
    Ok(Output::new(figures(&status), &status))
}

fn figures(status: &CacheStatus) -> String {
    let mut table = Table::new(["store", "objects", "bytes", "budget", "full", "evictions"]);
    let mut store = |name: &str, objects, bytes: u64, budget: u64, evictions| {
        let full = (u128::from(bytes) * 100).checked_div(u128::from(budget));
        table.row([
            name.to_owned(),
            number(objects),
            size(bytes),
            size(budget),
            full.map_or_else(|| "-".to_owned(), |full| format!("{full} %")),
            number(evictions),
        ]);
    };
    store(
        "memory",
        status.objects,
        status.bytes,
        status.budget,
        status.evictions,
    );
    if let Some(disk) = &status.disk {
        store(
            "disk",
            disk.objects,
            disk.bytes,
            disk.budget,
            disk.evictions,
        );
    }
    let mut page = table.render();
    page.push_str(&format!("\n{}\n", headlines(status).join("\n")));
    let mut table = Table::new(["cache", "requests"]);
    for count in status.requests.iter().filter(|count| count.requests > 0) {
        table.row([count.word.clone(), number(count.requests)]);
    }
    if status.requests.iter().any(|count| count.requests > 0) {
        page.push_str(&format!("\n{}", table.render()));
    }
    page.trim_end().to_owned()
}

fn headlines(status: &CacheStatus) -> Vec<String> {
    let ratio = match status.hit_ratio() {
        // Rounded down, so that 100 % means all of them.
        Some(ratio) => format!("{:.1} % of requests", (ratio * 1000.0).floor() / 10.0),
        None => "no requests yet".to_owned(),
    };
    let mut lines = vec![
        format!("answered from the cache: {ratio}"),
        format!(
            "{} ({}) and {} on their way, {} so far",
            counted(status.fills, "fill"),
            size(status.fill_bytes),
            counted(status.flights, "fetch").replace("fetchs", "fetches"),
            counted(status.purges, "purge"),
        ),
    ];
    if let Some(disk) = &status.disk {
        lines.push(format!(
            "disk: {} written, {} read, {} dropped, {} failed, {} broken{}",
            number(disk.writes),
            number(disk.loads),
            number(disk.dropped),
            number(disk.failed),
            number(disk.corrupt),
            if disk.scanning {
                ", still looked through"
            } else {
                ""
            },
        ));
    }
    lines
}

#[cfg(test)]
mod tests {
    use janua_admin::{CacheCount, CacheStatus, DiskStatus};

    use super::figures;

    #[test]
    fn the_status_as_a_page() {
        let count = |word: &str, hit, requests| CacheCount {
            word: word.to_owned(),
            hit,
            requests,
        };
        let mut status = CacheStatus {
            objects: 1200,
            bytes: 32 << 20,
            budget: 64 << 20,
            evictions: 5,
            fills: 1,
            fill_bytes: 100,
            flights: 2,
            purges: 1,
            ..CacheStatus::default()
        };
        let page = figures(&status);
        for line in [
            "  memory    1,200  32 MiB  64 MiB  50 %          5",
            "answered from the cache: no requests yet",
            "1 fill (100 B) and 2 fetches on their way, 1 purge so far",
        ] {
            assert!(
                page.lines().any(|found| found == line),
                "{line:?} is not in\n{page}"
            );
        }
        status.requests = vec![
            count("hit", true, 2),
            count("miss", false, 1),
            count("stale", true, 0),
        ];
        status.disk = Some(DiskStatus {
            budget: 0,
            scanning: true,
            ..DiskStatus::default()
        });
        let page = figures(&status);
        for line in [
            "answered from the cache: 66.6 % of requests",
            "  disk          0     0 B     0 B     -          0",
            "disk: 0 written, 0 read, 0 dropped, 0 failed, 0 broken, still looked through",
            "  hit           2",
        ] {
            assert!(
                page.lines().any(|found| found == line),
                "{line:?} is not in\n{page}"
            );
        }
        assert!(!page.contains("stale"), "{page}");
    }
}
