//! The pages next to the files: the image itself, its waste, its packages, a map, the store, findings and a rebuild.

mod findings;
mod image;
mod map;
mod packages;
mod rebuild;
mod store;
mod treemap;
mod waste;

use std::sync::Arc;

use super::action::Context;
use super::list::ListCursor;
use nixdive_analyse::analysis::{Assessment, HiddenCopies};
use nixdive_image::Image;
use nixdive_nix::study::StoreStudy;
use nixdive_packages::Inventory;

pub(super) use findings::{FindingRow, FindingsPage, Judged};
pub(super) use image::{ImageLine, LABEL_WIDTH, LineKind};
pub(super) use map::{Colouring, MapView, tiles};
pub(super) use packages::PackageList;
pub(super) use rebuild::{PlanItem, PlanStage, RebuildPage};
pub(super) use store::{Look, StorePage, StoreSort, Walk, Way};
pub(super) use treemap::{Heading, Tile};
pub(super) use waste::WasteList;

/// Facts about an image besides its tree.
#[derive(Debug, Default)]
pub struct Insights {
    /// dive's figures, and the waste behind them.
    pub assessment: Assessment,
    /// Copies of files that later layers cover or remove, once they are counted.
    pub hidden: Option<HiddenCopies>,
    /// Packages of the databases in the image.
    pub packages: Arc<Inventory>,
}

/// Pages that fill the screen between header and footer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Page {
    #[default]
    Files,
    Image,
    Waste,
    Packages,
    Map,
    Store,
    Findings,
    Rebuild,
}

impl Page {
    pub(super) const ALL: [Self; 8] =
        [Self::Files, Self::Image, Self::Waste, Self::Packages, Self::Map, Self::Store, Self::Findings, Self::Rebuild];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Files => "Files",
            Self::Image => "Image",
            Self::Waste => "Waste",
            Self::Packages => "Packages",
            Self::Map => "Map",
            Self::Store => "Store",
            Self::Findings => "Findings",
            Self::Rebuild => "Rebuild",
        }
    }

    /// Key context of the page; `None` for the files, whose panes have their own.
    pub(super) fn context(self) -> Option<Context> {
        match self {
            Self::Files => None,
            Self::Image => Some(Context::Image),
            Self::Waste => Some(Context::Waste),
            Self::Packages => Some(Context::Packages),
            Self::Map => Some(Context::Map),
            Self::Store => Some(Context::Store),
            Self::Findings => Some(Context::Findings),
            Self::Rebuild => Some(Context::Rebuild),
        }
    }
}

/// The state of the pages of one image.
#[derive(Debug, Default)]
pub(super) struct Pages {
    pub current: Page,
    pub findings: Arc<Insights>,
    pub image: ImagePage,
    pub waste: WasteList,
    pub packages: PackageList,
    pub map: MapView,
    pub store: StorePage,
    /// True once the store is studied, or known to be absent.
    pub is_store_known: bool,
    pub judgement: FindingsPage,
    pub rebuild: RebuildPage,
}

/// The configuration and the Dockerfile, as lines made once.
#[derive(Debug, Default)]
pub(super) struct ImagePage {
    /// As they are.
    whole: Vec<ImageLine>,
    /// In pieces that fit, each with the line that it is of.
    pub shown: Vec<(usize, ImageLine)>,
    width: u16,
    pub cursor: ListCursor,
}

impl ImagePage {
    /// Wraps long lines for a screen of `width` cells.
    fn fit(&mut self, width: u16) {
        if self.width != width {
            self.width = width;
            self.shown = image::wrapped(&self.whole, usize::from(width));
        }
    }

    /// The text of the selected line, whole.
    pub(super) fn selected(&self) -> Option<&str> {
        let (line, _) = self.shown.get(self.cursor.selected)?;
        self.whole.get(*line).map(|line| line.text.as_str())
    }
}

impl Pages {
    /// Makes the pages those of an image.
    pub(super) fn show(&mut self, image: &Image) {
        self.image = ImagePage { whole: image::lines(image), ..ImagePage::default() };
        self.map = MapView::default();
        self.store = StorePage::default();
        self.is_store_known = false;
        self.judgement = FindingsPage::default();
        self.rebuild = RebuildPage::default();
    }

    /// Returns `true` if everything that findings and plans need is known.
    fn is_informed(&self) -> bool {
        self.is_store_known && self.findings.hidden.is_some()
    }

    /// Returns `true` if a plan is to be requested now: its inputs are known and no request is under way.
    pub(super) fn asks_for_plan(&self) -> bool {
        self.is_informed() && self.rebuild.is_stale
    }

    /// Returns `true` if the findings are to be requested now: their inputs are known and they have not been
    /// requested.
    pub(super) fn asks_for_judgement(&mut self) -> bool {
        let asks = self.is_informed() && matches!(self.judgement.judged, Judged::NotAsked);
        if asks {
            self.judgement.judged = Judged::Asked;
        }
        asks
    }

    /// Filter of the current page's list; empty if there is none.
    pub(super) fn filter(&self) -> &str {
        match self.current {
            Page::Store => &self.store.filter,
            Page::Packages => &self.packages.filter,
            Page::Rebuild => &self.rebuild.filter,
            _ => "",
        }
    }

    /// Shows only rows of the current page that have a text in their names.
    pub(super) fn set_filter(&mut self, text: &str) {
        match self.current {
            Page::Store => self.store.set_filter(text),
            Page::Packages => self.packages.set_filter(&Arc::clone(&self.findings).packages, text),
            Page::Rebuild => self.rebuild.set_filter(text),
            _ => {}
        }
    }

    /// Clears the filter of the current page; returns `true` if there was one.
    pub(super) fn back(&mut self) -> bool {
        if self.current == Page::Store {
            return self.store.back();
        }
        let filtered = !self.filter().is_empty();
        if filtered {
            self.set_filter("");
        }
        filtered
    }

    /// Fits the pages to a screen of `width` cells.
    pub(super) fn fit(&mut self, width: u16) {
        self.image.fit(width);
    }

    /// Takes new facts about the image.
    pub(super) fn learn(&mut self, findings: Arc<Insights>) {
        self.waste = WasteList::new(&findings.assessment);
        self.packages = PackageList::new(&findings.packages);
        self.findings = findings;
    }

    /// Takes the study of the store.
    pub(super) fn learn_store(&mut self, study: Option<Arc<StoreStudy>>) {
        self.store = StorePage::new(study);
        self.is_store_known = true;
    }

    /// Cursor and length of the list that a page is; `None` for pages that are none.
    pub(super) fn list(&mut self) -> Option<(&mut ListCursor, usize)> {
        match self.current {
            Page::Files | Page::Map => None,
            Page::Image => Some((&mut self.image.cursor, self.image.shown.len())),
            Page::Store => self.store.list(),
            Page::Findings => Some((&mut self.judgement.cursor, self.judgement.rows.len())),
            Page::Rebuild => Some((&mut self.rebuild.cursor, self.rebuild.items.len())),
            Page::Waste => {
                let length = self.waste.len();
                Some((&mut self.waste.cursor, length))
            }
            Page::Packages => {
                let length = self.packages.len();
                Some((&mut self.packages.cursor, length))
            }
        }
    }
}
