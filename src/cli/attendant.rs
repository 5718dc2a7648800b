//! Answers the interface's questions about an opened image, on a thread of its own.

use std::sync::Arc;

use crossbeam_channel::{Receiver, Sender};

use super::viewed::Viewed;
use crate::image::Image;
use crate::open::Contents;
use crate::preview::{Cancel, Syntaxes};
use crate::tui::{Message, Opening, Report, Request, ViewRequest};

/// Answers to one question that may follow each other; each gets further than the one before.
const MOST_ANSWERS: usize = 4096;

/// An opened image, and whom to tell about it.
pub struct Attendant {
    pub opening: Opening,
    pub image: Arc<Image>,
    pub contents: Arc<Contents>,
    pub messages: Sender<Message>,
    /// Stops all that is under way for this image.
    pub cancel: Cancel,
}

impl Attendant {
    /// Serves until nobody can ask any more.
    pub fn serve(&self, requests: &Receiver<Request>) {
        let syntaxes = Arc::new(Syntaxes::new());
        let mut viewed: Option<Viewed> = None;
        let mut next = None;
        while let Some(request) = next.take().or_else(|| requests.recv().ok()) {
            match request {
                Request::View(request) => next = self.view(request, &mut viewed, &syntaxes, requests),
            }
        }
    }

    /// Tells the interface; `false` when it is gone.
    fn tell(&self, report: Report) -> bool {
        self.messages.send(Message::Report(self.opening, report)).is_ok()
    }

    /// Answers until the answer is whole, or something else is asked: that is returned.
    fn view(
        &self,
        request: ViewRequest,
        viewed: &mut Option<Viewed>,
        syntaxes: &Arc<Syntaxes>,
        requests: &Receiver<Request>,
    ) -> Option<Request> {
        let known = viewed.take().filter(|viewed| viewed.is_of(&request));
        let mut open =
            known.unwrap_or_else(|| Viewed::open(&self.image, &self.contents, &request, syntaxes, &self.cancel));
        let mut next = None;
        for _ in 0..MOST_ANSWERS {
            if let Ok(request) = requests.try_recv() {
                next = Some(request);
                break;
            }
            let view = open.rows(&request);
            let pending = view.pending;
            if !self.tell(Report::View(Box::new(view))) || !pending || self.cancel.is_cancelled() {
                break;
            }
        }
        *viewed = Some(open);
        next
    }
}
