/// Selected line and first visible line of a list.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct ListCursor {
    pub selected: usize,
    pub offset: usize,
}

impl ListCursor {
    pub(super) fn select(&mut self, index: usize, length: usize) {
        self.selected = index.min(length.saturating_sub(1));
    }

    pub(super) fn move_by(&mut self, lines: isize, length: usize) {
        self.select(self.selected.saturating_add_signed(lines), length);
    }

    /// Keeps the selection in the list and on screen, and the screen full where there are lines enough.
    pub(super) fn settle(&mut self, length: usize, height: usize) {
        self.select(self.selected, length);
        let height = height.max(1);
        let lowest = self.selected.saturating_sub(height - 1);
        let most = length.saturating_sub(height);
        self.offset = self.offset.clamp(lowest, self.selected).min(most.max(lowest));
    }

    /// Moves the lines under the selection, which goes along only when it would leave the screen.
    pub(super) fn scroll_by(&mut self, lines: isize, length: usize, height: usize) {
        self.offset = self.offset.saturating_add_signed(lines).min(length.saturating_sub(height));
        self.selected = self.selected.clamp(self.offset, self.offset + height.saturating_sub(1));
        self.select(self.selected, length);
    }
}
