//! A screen as SVG: every cell keeps its place whatever font the viewer has.

use std::fmt::Write;

use ratatui::buffer::{Buffer, Cell};
use ratatui::style::{Color, Modifier};
use unicode_width::UnicodeWidthStr;

const CELL: (f32, f32) = (8.4, 17.0);
const MARGIN: f32 = 10.0;
/// From the top of a cell to the line that letters stand on.
const BASELINE: f32 = 13.0;
const FOREGROUND: &str = "#d8dee9";
const BACKGROUND: &str = "#1d2129";
/// The terminal's sixteen colours.
const PALETTE: [&str; 16] = [
    "#3b4252", "#e0636c", "#9ecb7f", "#ebcb8b", "#79a7dd", "#c08fd0", "#7fc8c8", "#c3cad6", "#6b7a90", "#f0838b",
    "#b5dc9a", "#f5dda6", "#9cc1ee", "#d5addf", "#a0dede", "#ffffff",
];
/// Blocks from an eighth of a cell to a whole one: drawn, as fonts leave gaps between them.
const BLOCKS: &str = "▏▎▍▌▋▊▉█";

/// Consecutive cells of one look in one line.
struct Run {
    column: usize,
    row: usize,
    cells: usize,
    text: String,
    look: Look,
}

#[derive(Clone, Copy, PartialEq, Eq)]
struct Look {
    ink: Color,
    paper: Color,
    modifier: Modifier,
}

impl Look {
    fn of(cell: &Cell) -> Self {
        Self { ink: cell.fg, paper: cell.bg, modifier: cell.modifier }
    }

    fn is_reversed(self) -> bool {
        self.modifier.contains(Modifier::REVERSED)
    }

    fn ink(self) -> String {
        if self.is_reversed() { colour(self.paper, BACKGROUND) } else { colour(self.ink, FOREGROUND) }
    }

    fn paper(self) -> Option<String> {
        let (colour, missing) = if self.is_reversed() { (self.ink, FOREGROUND) } else { (self.paper, "") };
        Some(self::colour(colour, missing)).filter(|colour| !colour.is_empty())
    }

    /// Returns `true` if a blank looks like no cell at all.
    fn is_bare(self) -> bool {
        self.paper().is_none() && !self.modifier.contains(Modifier::UNDERLINED)
    }

    /// As declarations of CSS.
    fn css(self) -> String {
        let mut css = format!("fill:{}", self.ink());
        for (modifier, declaration) in [
            (Modifier::BOLD, ";font-weight:bold"),
            (Modifier::DIM, ";fill-opacity:.62"),
            (Modifier::ITALIC, ";font-style:italic"),
            (Modifier::UNDERLINED, ";text-decoration:underline"),
        ] {
            if self.modifier.contains(modifier) {
                css += declaration;
            }
        }
        css
    }
}

fn colour(colour: Color, otherwise: &str) -> String {
    let number = match colour {
        Color::Reset => return otherwise.to_owned(),
        Color::Rgb(red, green, blue) => return format!("#{red:02x}{green:02x}{blue:02x}"),
        Color::Black => 0,
        Color::Red => 1,
        Color::Green => 2,
        Color::Yellow => 3,
        Color::Blue => 4,
        Color::Magenta => 5,
        Color::Cyan => 6,
        Color::Gray => 7,
        Color::DarkGray => 8,
        Color::LightRed => 9,
        Color::LightGreen => 10,
        Color::LightYellow => 11,
        Color::LightBlue => 12,
        Color::LightMagenta => 13,
        Color::LightCyan => 14,
        Color::White => 15,
        Color::Indexed(number) => usize::from(number),
    };
    (*PALETTE.get(number).expect("themes use the sixteen colours or all of them")).to_owned()
}

/// The screen under a title.
pub fn svg(title: &str, buffer: &Buffer) -> String {
    let runs = runs(buffer);
    let mut looks: Vec<Look> = Vec::new();
    let mut body = String::new();
    for run in &runs {
        let (x, y) = (MARGIN + run.column as f32 * CELL.0, MARGIN + run.row as f32 * CELL.1);
        let width = run.cells as f32 * CELL.0;
        if let Some(paper) = run.look.paper() {
            writeln!(body, r#"<rect x="{x:.1}" y="{y}" width="{width:.1}" height="{}" fill="{paper}"/>"#, CELL.1)
                .unwrap();
        }
        if run.text.trim().is_empty() && run.look.is_bare() {
            continue;
        }
        if let Some(eighths) = eighths(&run.text) {
            let (width, height, ink) = (eighths as f32 * CELL.0 / 8.0, CELL.1 - 4.0, run.look.ink());
            writeln!(body, r#"<rect x="{x:.1}" y="{}" width="{width:.1}" height="{height}" fill="{ink}"/>"#, y + 2.0)
                .unwrap();
            continue;
        }
        let class = looks.iter().position(|look| *look == run.look).unwrap_or_else(|| {
            looks.push(run.look);
            looks.len() - 1
        });
        let (y, text) = (y + BASELINE, escaped(&run.text));
        writeln!(body, r#"<text class="s{class}" x="{x:.1}" y="{y}" textLength="{width:.1}">{text}</text>"#).unwrap();
    }
    let (width, height) = (
        f32::from(buffer.area.width).mul_add(CELL.0, 2.0 * MARGIN).ceil(),
        f32::from(buffer.area.height).mul_add(CELL.1, 2.0 * MARGIN),
    );
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" \
         height=\"{height}\" role=\"img\" xml:space=\"preserve\" font-size=\"14\" \
         font-family=\"DejaVu Sans Mono, Menlo, Consolas, monospace\">\n<title>{}</title>\n<style>text{{white-space:pre}}",
        escaped(title)
    );
    for (class, look) in looks.iter().enumerate() {
        write!(svg, ".s{class}{{{}}}", look.css()).unwrap();
    }
    write!(
        svg,
        "</style>\n<rect width=\"{width}\" height=\"{height}\" rx=\"8\" fill=\"{BACKGROUND}\"/>\n{body}</svg>\n"
    )
    .unwrap();
    svg
}

/// Groups the cells into runs. A blank joins the run before it if they look alike; wide characters, whose width
/// differs between fonts, and bars form runs of their own.
fn runs(buffer: &Buffer) -> Vec<Run> {
    let mut runs = Vec::new();
    for (row, line) in buffer.content.chunks(usize::from(buffer.area.width).max(1)).enumerate() {
        let mut column = 0;
        let mut open: Option<Run> = None;
        while let Some(cell) = line.get(column) {
            let (look, symbol) = (Look::of(cell), cell.symbol());
            let cells = symbol.width().max(1);
            let is_bare = symbol == " " && look.is_bare();
            let goes_on = open.as_ref().is_some_and(|run| {
                let same = run.look == look || (is_bare && run.look.is_bare());
                same && cells == 1
                    && run.cells == run.text.chars().count()
                    && eighths(symbol).is_some() == eighths(&run.text).is_some()
            });
            if !goes_on {
                runs.extend(open.take());
            }
            let run = open.get_or_insert_with(|| Run { column, row, cells: 0, text: String::new(), look });
            run.text += symbol;
            run.cells += cells;
            column += cells;
        }
        runs.extend(open);
    }
    for run in runs.iter_mut().filter(|run| run.look.is_bare()) {
        let kept = run.text.trim_end().len();
        run.cells -= run.text.len() - kept;
        run.text.truncate(kept);
        let blanks = run.text.len() - run.text.trim_start().len();
        run.text.drain(..blanks);
        (run.column, run.cells) = (run.column + blanks, run.cells - blanks);
    }
    runs
}

/// Length of a bar in eighths of a cell; `None` if the text is not a bar.
fn eighths(text: &str) -> Option<usize> {
    let one = |character| Some(BLOCKS.chars().position(|block| block == character)? + 1);
    let sum = text.chars().map(one).sum::<Option<usize>>()?;
    (sum > 0).then_some(sum)
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[test]
fn every_cell_keeps_its_place_and_its_style() {
    use ratatui::style::Style;
    let mut buffer = Buffer::empty(ratatui::layout::Rect::new(0, 0, 12, 2));
    buffer.set_string(0, 0, "a <b> 日x", Style::new().fg(Color::Green));
    buffer.set_string(2, 1, "██▎", Style::new().fg(Color::Blue));
    buffer.set_string(8, 1, "on", Style::new().add_modifier(Modifier::REVERSED | Modifier::BOLD));
    let svg = svg("A & B", &buffer);
    for part in [
        "<title>A &amp; B</title>",
        ".s0{fill:#9ecb7f}",
        ">a &lt;b&gt;</text>",
        r#"<text class="s0" x="60.4" y="23" textLength="16.8">日</text>"#,
        r#"<text class="s0" x="77.2" y="23" textLength="8.4">x</text>"#,
        r##"<rect x="26.8" y="29" width="18.9" height="13" fill="#79a7dd"/>"##,
        r##"<rect x="77.2" y="27" width="16.8" height="17" fill="#d8dee9"/>"##,
        ".s1{fill:#1d2129;font-weight:bold}",
    ] {
        assert!(svg.contains(part), "{part}\n{svg}");
    }
}
