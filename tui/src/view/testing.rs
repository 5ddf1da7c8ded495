//! Screens as text.

use eradbg_tracer::timeline::Timeline;
use ratatui::Terminal;
use ratatui::backend::TestBackend;

use crate::highlight::Highlighter;
use crate::model::Model;
use crate::theme::Theme;
use crate::view::View;

/// The whole screen in the model's size, without blanks at the ends of lines.
pub(crate) fn screen(model: &Model, timeline: &Timeline) -> String {
    let (width, height) = model.size;
    let highlighter = Highlighter::new();
    let view = View::new(model, timeline, Theme::plain(), &highlighter);
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| view.render(frame)).unwrap();
    let buffer = terminal.backend().buffer();
    let row = |y| (0..width).map(|x| buffer[(x, y)].symbol()).collect::<String>();
    let rows: Vec<String> = (0..height).map(|y| row(y).trim_end().to_owned()).collect();
    rows.join("\n") + "\n"
}
