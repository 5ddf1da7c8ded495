//! Which steps each column of a timeline stands for.
//!
//! The end of a batch, where pubdata is published, can take many times the steps of all transactions together, so the
//! timeline of a recording gives the transactions most of its columns. Within a part the scale is even.

/// Of 100 columns, those that the transactions get at least.
const TRANSACTIONS_SHARE: u64 = 75;

/// The columns of a timeline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Scale {
    parts: Vec<Part>,
}

/// Steps `first..end`, shown in columns `column..end_column`; neither is empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Part {
    first: u64,
    end: u64,
    column: u64,
    end_column: u64,
}

impl Scale {
    /// Shows the positions `first..=last` evenly.
    pub(crate) fn even(width: u16, first: u64, last: u64) -> Self {
        let end_column = u64::from(width.max(1));
        Self {
            parts: vec![Part {
                first,
                end: last + 1,
                column: 0,
                end_column,
            }],
        }
    }

    /// Shows the positions `0..=last` of a recording whose transactions lie in `transactions` (first, last).
    pub(crate) fn of_recording(width: u16, last: u64, transactions: Option<(u64, u64)>) -> Self {
        let total = last + 1;
        let even = Self::even(width, 0, last);
        let Some((first, end)) = transactions.map(|(first, last)| (first.min(total), (last + 1).min(total)))
        else {
            return even;
        };
        let width = u64::from(width);
        let share = |steps: u64, of: u64, columns: u64| {
            (u128::from(steps) * u128::from(columns) / u128::from(of.max(1))) as u64
        };
        if width < 20 || first >= end || share(end - first, total, 100) >= TRANSACTIONS_SHARE {
            return even;
        }
        let rest = width - width * TRANSACTIONS_SHARE / 100;
        let before = match first {
            0 => 0,
            _ if end == total => rest,
            _ => share(first, total - (end - first), rest).clamp(1, rest - 1),
        };
        let after = if end == total { 0 } else { rest - before };
        let columns = [0, before, width - after, width];
        let steps = [0, first, end, total];
        let part = |index: usize| Part {
            first: steps[index],
            end: steps[index + 1],
            column: columns[index],
            end_column: columns[index + 1],
        };
        let parts = (0..3)
            .map(part)
            .filter(|part| part.first < part.end && part.column < part.end_column);
        Self {
            parts: parts.collect(),
        }
    }

    /// The first position that a column stands for; the first behind the timeline for columns behind it.
    pub(crate) fn position(&self, column: u16) -> u64 {
        let column = u64::from(column);
        let last = self.parts[self.parts.len() - 1];
        let part = self
            .parts
            .iter()
            .find(|part| column < part.end_column)
            .unwrap_or(&last);
        let offset = column.min(part.end_column) - part.column;
        part.first
            + (u128::from(part.end - part.first) * u128::from(offset) / u128::from(part.columns())) as u64
    }

    /// The column that shows a position; the first, where several do.
    pub(crate) fn column(&self, position: u64) -> u16 {
        let last = self.parts[self.parts.len() - 1];
        let part = self
            .parts
            .iter()
            .find(|part| position < part.end)
            .unwrap_or(&last);
        let offset = u128::from(position.clamp(part.first, part.end - 1) - part.first);
        let (width, span) = (u128::from(part.columns()), u128::from(part.end - part.first));
        let column = if width > span {
            (offset * width).div_ceil(span)
        } else {
            ((offset + 1) * width).div_ceil(span) - 1
        };
        part.column as u16 + column.min(width - 1) as u16
    }
}

impl Part {
    fn columns(&self) -> u64 {
        self.end_column - self.column
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(scale: &Scale, width: u16, last: u64) {
        let positions: Vec<u64> = (0..=width).map(|column| scale.position(column)).collect();
        assert!(positions.is_sorted(), "{scale:?}");
        assert_eq!(positions[width as usize], last + 1, "{scale:?}");
        for column in 0..width {
            let shown = scale.column(scale.position(column));
            let is_first_of_several = scale.position(shown) == scale.position(column);
            assert!(
                shown == column || is_first_of_several,
                "column {column} of {scale:?}"
            );
        }
    }

    #[test]
    fn positions_and_columns_are_each_others_inverse() {
        for width in [1, 19, 20, 40, 80, 133, 200] {
            for (last, transactions) in [
                (0, None),
                (999, None),
                (10, Some((0, 10))),
                (1_582_340, Some((171, 89_000))),
                (1_582_340, Some((0, 3))),
                (500, Some((400, 500))),
                (500, Some((500, 500))),
            ] {
                check(&Scale::of_recording(width, last, transactions), width, last);
            }
        }
        let scale = Scale::even(40, 400, 1_000_000_007);
        assert_eq!((scale.position(0), scale.column(400)), (400, 0));
        assert_eq!(scale.column(1_000_000_007), 39);
    }

    #[test]
    fn transactions_have_most_of_the_columns_however_long_the_end_of_the_batch() {
        let scale = Scale::of_recording(200, 1_582_340, Some((171, 89_000)));
        assert_eq!(scale.column(171), 1);
        assert!(scale.column(89_000) >= 149);
        assert!(scale.column(1_582_340) == 199);
    }
}
