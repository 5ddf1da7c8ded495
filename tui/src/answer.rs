//! An answer on the screen: what of it is folded, filtered and selected.

use std::collections::HashSet;

use eradbg_tracer::analysis::answer::{Answer, Line, Mark, Question, Topic};
use tui_input::{Input, InputRequest};

/// Lines of an answer that is shown whole at first.
const WHOLE_LINES: usize = 150;
/// Lines of a folded answer that are worth a look.
const FEW_LINES: usize = 8;

/// An answer on the screen.
#[derive(Debug, Clone)]
pub(crate) struct Shown {
    /// What was asked, when it was about a transaction or the batch.
    pub question: Option<Question>,
    /// The answer.
    pub answer: Answer,
    /// Text that the shown lines contain.
    pub filter: Input,
    /// Whether keys edit the filter.
    pub is_filtering: bool,
    /// Index of the selected one among the lines in sight.
    pub selected: usize,
    /// Lines whose parts are out of sight.
    folded: HashSet<usize>,
    /// Indices of the lines in sight.
    in_sight: Vec<usize>,
}

/// Whether a line has parts, and whether they are in sight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fold {
    /// It has none.
    Leaf,
    /// They are in sight.
    Open,
    /// They are not.
    Closed,
}

impl Shown {
    /// With the line selected that the question is about. A long answer is folded, but for its top and what leads to
    /// failures; so are the last branches of a tree of calls, and lists below sums.
    pub(crate) fn new(question: Option<Question>, answer: Answer) -> Self {
        let mut shown = Self {
            question,
            answer,
            filter: Input::default(),
            is_filtering: false,
            selected: 0,
            folded: HashSet::new(),
            in_sight: Vec::new(),
        };
        if question.is_some_and(|question| has_details(question.topic)) {
            shown.fold_details();
        }
        // Who asks for all of it to be open wants it so.
        let is_open = question.is_some_and(Question::opens_all);
        if shown.answer.lines.len() > WHOLE_LINES && !is_open {
            shown.fold_what_went_well();
            shown.open_the_top();
        }
        shown.look_again();
        shown.select(shown.answer.about);
        shown
    }

    /// The lines in sight.
    pub(crate) fn lines(&self) -> impl ExactSizeIterator<Item = (&Line, Fold)> {
        self.in_sight
            .iter()
            .map(|&at| (&self.answer.lines[at], self.fold_of(at)))
    }

    /// The selected line.
    pub(crate) fn line(&self) -> Option<&Line> {
        Some(&self.answer.lines[*self.in_sight.get(self.selected)?])
    }

    /// Moves the selection, positive down.
    pub(crate) fn scroll(&mut self, lines: i32) {
        let last = self.in_sight.len().saturating_sub(1);
        self.selected = self.selected.saturating_add_signed(lines as isize).min(last);
    }

    /// Puts the parts of the selected line out of sight or back; of a line without parts those of the line above it.
    pub(crate) fn fold(&mut self, to: Fold) {
        let Some(&at) = self.in_sight.get(self.selected) else {
            return;
        };
        match (self.fold_of(at), to) {
            (Fold::Leaf | Fold::Closed, Fold::Closed) => self.select(self.parent(at).unwrap_or(at)),
            (Fold::Open, Fold::Closed | Fold::Leaf) => drop(self.folded.insert(at)),
            (Fold::Closed, _) => drop(self.folded.remove(&at)),
            _ => {}
        }
        self.look_again();
    }

    /// Edits the filter.
    pub(crate) fn edit(&mut self, request: InputRequest) {
        self.filter.handle(request);
        self.look_again();
    }

    /// Stops filtering.
    pub(crate) fn clear_filter(&mut self) {
        let at = self.in_sight.get(self.selected).copied();
        self.is_filtering = false;
        self.filter = Input::default();
        self.look_again();
        self.select(at.unwrap_or(0));
    }

    fn select(&mut self, at: usize) {
        let place = self.in_sight.partition_point(|&other| other < at);
        self.selected = place.min(self.in_sight.len().saturating_sub(1));
    }

    fn has_parts(&self, at: usize) -> bool {
        let lines = &self.answer.lines;
        lines
            .get(at + 1)
            .is_some_and(|next| next.indent > lines[at].indent)
    }

    fn fold_of(&self, at: usize) -> Fold {
        match (self.has_parts(at), self.folded.contains(&at)) {
            (false, _) => Fold::Leaf,
            (true, false) => Fold::Open,
            (true, true) => Fold::Closed,
        }
    }

    fn parent(&self, at: usize) -> Option<usize> {
        let lines = &self.answer.lines;
        (0..at)
            .rev()
            .find(|&other| lines[other].indent < lines[at].indent)
    }

    /// Folds what has parts without parts of their own, unless it failed.
    fn fold_details(&mut self) {
        let lines = &self.answer.lines;
        for at in 0..lines.len() {
            let mut parts = (at + 1..lines.len()).take_while(|&part| lines[part].indent > lines[at].indent);
            let failed = lines[at].mark == Mark::Failed;
            if self.has_parts(at) && !failed && parts.all(|part| !self.has_parts(part)) {
                self.folded.insert(at);
            }
        }
    }

    fn fold_what_went_well(&mut self) {
        let lines = &self.answer.lines;
        // Indent of the nearest line below that tells of a failure and is not yet led to.
        let mut failed = None;
        for (at, line) in lines.iter().enumerate().rev() {
            let leads = failed.is_some_and(|indent| indent > line.indent);
            if line.indent > 0 && !leads && self.has_parts(at) {
                self.folded.insert(at);
            }
            if leads || line.mark == Mark::Failed {
                failed = Some(line.indent);
            }
        }
    }

    /// Opens the topmost lines, as long as there are too few to see anything.
    fn open_the_top(&mut self) {
        loop {
            self.look_again();
            let closed: Vec<usize> = self
                .in_sight
                .iter()
                .copied()
                .filter(|at| self.folded.contains(at))
                .collect();
            if self.in_sight.len() >= FEW_LINES || closed.is_empty() {
                return;
            }
            for at in closed {
                self.folded.remove(&at);
            }
        }
    }

    /// Finds the lines in sight. While there is a filter, nothing is folded.
    fn look_again(&mut self) {
        let wanted = self.filter.value().to_lowercase();
        let mut hidden_below = None;
        let mut in_sight = Vec::new();
        for (at, line) in self.answer.lines.iter().enumerate() {
            if !wanted.is_empty() {
                let text = format!("{} {}", line.columns, line.text);
                if text.to_lowercase().contains(&wanted) {
                    in_sight.push(at);
                }
                continue;
            }
            if hidden_below.is_some_and(|indent| line.indent > indent) {
                continue;
            }
            hidden_below = self.folded.contains(&at).then_some(line.indent);
            in_sight.push(at);
        }
        self.in_sight = in_sight;
        self.scroll(0);
    }
}

/// Whether the lines that stand lowest in an answer about this are details of those above them.
const fn has_details(topic: Topic) -> bool {
    match topic {
        Topic::Calls
        | Topic::Ergs
        | Topic::Refunds
        | Topic::Pubdata
        | Topic::Published
        | Topic::Rollbacks
        | Topic::Contracts => true,
        Topic::Why | Topic::Sheet | Topic::Events | Topic::Timeline | Topic::Transactions => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(topic: Topic, indents: &[usize], failed: &[usize]) -> Shown {
        let line = |(at, &indent): (usize, &usize)| Line {
            step: None,
            columns: String::new(),
            indent,
            text: format!("line {at}"),
            mark: if failed.contains(&at) {
                Mark::Failed
            } else {
                Mark::None
            },
            part: None,
        };
        let answer = Answer {
            title: String::new(),
            heading: String::new(),
            about: 0,
            lines: indents.iter().enumerate().map(line).collect(),
        };
        Shown::new(Some(Question::new(topic, 0)), answer)
    }

    #[test]
    fn folding_hides_what_belongs_to_a_line_and_folding_again_goes_up() {
        let mut shown = shown(Topic::Why, &[0, 1, 2, 1, 0], &[]);
        shown.scroll(1);
        shown.fold(Fold::Closed);
        assert_eq!(shown.in_sight, [0, 1, 3, 4]);
        shown.fold(Fold::Closed);
        assert_eq!(shown.selected, 0);
        shown.fold(Fold::Closed);
        assert_eq!(shown.in_sight, [0, 4]);
        shown.fold(Fold::Open);
        assert_eq!(shown.in_sight, [0, 1, 3, 4]);
    }

    #[test]
    fn a_long_answer_is_folded_but_for_what_leads_to_failures() {
        let mut indents = vec![0, 1, 2, 3, 1, 2];
        indents.extend([1; WHOLE_LINES]);
        let shown = shown(Topic::Why, &indents, &[3]);
        assert_eq!(shown.in_sight[..6], [0, 1, 2, 3, 4, 6]);
    }

    #[test]
    fn the_only_root_of_a_long_tree_is_open() {
        let mut indents = vec![0, 1];
        indents.extend([2, 3].repeat(WHOLE_LINES));
        let shown = shown(Topic::Ergs, &indents, &[]);
        assert_eq!(shown.in_sight[..4], [0, 1, 2, 4]);
    }

    #[test]
    fn details_of_calls_that_went_well_are_folded() {
        let shown = shown(Topic::Calls, &[0, 1, 2, 2, 1, 2, 2], &[4]);
        assert_eq!(shown.in_sight, [0, 1, 4, 5, 6]);
    }

    #[test]
    fn a_filter_looks_into_folded_lines_and_the_selected_line_stays() {
        let mut shown = shown(Topic::Why, &[0, 1, 2, 1, 0], &[]);
        shown.fold(Fold::Closed);
        shown.edit(InputRequest::InsertChar('2'));
        assert_eq!(shown.in_sight, [2]);
        assert_eq!(shown.line().map(|line| &line.text[..]), Some("line 2"));
        shown.clear_filter();
        assert_eq!(shown.in_sight, [0, 4]);
    }
}
