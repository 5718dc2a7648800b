use super::PathId;

/// A list of paths for each path, all in one array.
#[derive(Debug, Clone)]
pub(super) struct Rows {
    /// Index of each row's first item, and the number of items at the end.
    starts: Vec<u32>,
    items: Vec<PathId>,
}

impl Rows {
    /// Groups pairs (row, item) by row; in a row, items keep their order. Both runs over `pairs`
    /// must be equal, rows less than `rows`, and pairs fewer than 2³².
    pub fn group<I: Iterator<Item = (PathId, PathId)>>(rows: usize, pairs: impl Fn() -> I) -> Self {
        let mut starts = vec![0u32; rows + 1];
        for (row, _) in pairs() {
            starts[row.index() + 1] += 1;
        }
        for row in 0..rows {
            starts[row + 1] += starts[row];
        }
        let mut next = starts.clone();
        let mut items = vec![PathId(0); starts[rows] as usize];
        for (row, item) in pairs() {
            let place = &mut next[row.index()];
            items[*place as usize] = item;
            *place += 1;
        }
        Self { starts, items }
    }

    pub fn row(&self, path: PathId) -> &[PathId] {
        let bound = |index: usize| self.starts.get(index).copied().unwrap_or_default() as usize;
        self.items.get(bound(path.index())..bound(path.index() + 1)).unwrap_or_default()
    }

    pub fn row_count(&self) -> usize {
        self.starts.len() - 1
    }

    pub fn item_count(&self) -> usize {
        self.items.len()
    }

    /// Returns pairs (item, row), by row.
    pub fn transposed(&self) -> impl Iterator<Item = (PathId, PathId)> {
        let rows = (0..self.row_count() as u32).map(PathId);
        rows.flat_map(|row| self.row(row).iter().map(move |&item| (item, row)))
    }

    /// Keeps the first of equal neighbours in every row.
    pub fn remove_repeated(&mut self) {
        let mut kept = 0;
        let mut start = 0;
        for row in 0..self.row_count() {
            let end = self.starts[row + 1] as usize;
            let first = kept;
            for at in start..end {
                let item = self.items[at];
                if kept == first || self.items[kept - 1] != item {
                    self.items[kept] = item;
                    kept += 1;
                }
            }
            self.starts[row + 1] = kept as u32;
            start = end;
        }
        self.items.truncate(kept);
        self.items.shrink_to_fit();
    }
}
