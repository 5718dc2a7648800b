//! The columns of the file tree between the mark of a change and the name.

/// One column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Column {
    /// Permissions as `ls -l` writes them.
    Mode,
    /// Numeric user and group.
    Owner,
    /// The layer of the entry.
    Layer,
    /// Day of the last modification.
    Modified,
    /// File bytes, of a directory those below it.
    Bytes,
    /// Share of the directory that it is in, as a bar.
    Share,
}

impl Column {
    /// All of them by their names in the settings.
    pub(super) const NAMED: &[(&str, Self)] = &[
        ("mode", Self::Mode),
        ("owner", Self::Owner),
        ("layer", Self::Layer),
        ("modified", Self::Modified),
        ("bytes", Self::Bytes),
        ("share", Self::Share),
    ];

    /// Cells of the pane below which it makes room for the name.
    pub(super) fn least_width(self) -> u16 {
        match self {
            Self::Bytes => 0,
            Self::Mode => 46,
            Self::Share => 52,
            Self::Owner => 58,
            Self::Layer => 64,
            Self::Modified => 72,
        }
    }

    /// Returns `true` for columns that `toggle-attributes` shows and hides.
    pub(super) fn is_attribute(self) -> bool {
        matches!(self, Self::Mode | Self::Owner)
    }
}

/// Columns in the order in which they stand, none twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Columns {
    columns: [Option<Column>; Column::NAMED.len()],
}

impl Default for Columns {
    fn default() -> Self {
        let mut columns = Self::none();
        for column in [Column::Mode, Column::Owner, Column::Bytes, Column::Share] {
            columns.push(column);
        }
        columns
    }
}

impl Columns {
    pub(super) fn none() -> Self {
        Self { columns: Default::default() }
    }

    /// Adds a column at the end; returns `true` if it is new.
    pub(super) fn push(&mut self, column: Column) -> bool {
        if self.iter().any(|known| known == column) {
            return false;
        }
        if let Some(place) = self.columns.iter_mut().find(|place| place.is_none()) {
            *place = Some(column);
        }
        true
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = Column> + use<> {
        self.columns.into_iter().flatten()
    }
}
