//! Places of transactions in the bootloader's list: those that were rejected have left it to others.

use crate::recording::Recording;

/// Who stood where in the list.
#[derive(Debug, Default)]
pub(super) struct Places {
    /// The place of each transaction.
    of: Vec<usize>,
    /// Numbers of the transactions that stood in each place, in order of time.
    at: Vec<Vec<u32>>,
}

impl Places {
    fn of(recording: &Recording) -> Self {
        let rows = recording.transactions();
        let mut places = Self::default();
        let mut list: Vec<usize> = Vec::new();
        for row in rows {
            let start = row.attempt().start;
            let is_gone = |listed: &mut usize| {
                let rollback = recording.rollback_of(rows[*listed].attempt().start);
                rollback.is_some_and(|range| range.end_step <= start)
            };
            // A rollback takes what was pushed last.
            while list.pop_if(is_gone).is_some() {}
            let place = list.len();
            list.push(places.of.len());
            places.of.push(place);
            places.at.resize_with(places.at.len().max(place + 1), Vec::new);
            places.at[place].push(row.index);
        }
        places
    }
}

impl Recording {
    fn places(&self) -> &Places {
        static NONE: Places = Places {
            of: Vec::new(),
            at: Vec::new(),
        };
        let overview = self.0.overview.get();
        overview.map_or(&NONE, |overview| overview.places.get_or_init(|| Places::of(self)))
    }

    /// The place of a transaction in the bootloader's list. The overview is loaded.
    pub(crate) fn place_of(&self, number: u32) -> usize {
        self.places().of.get(number as usize).copied().unwrap_or(0)
    }

    /// Number of the transaction that stands in a place of the bootloader's list, at a position; `None` where no transaction
    /// ever does. The overview is loaded.
    pub(crate) fn number_in_place(&self, place: usize, position: u64) -> Option<u32> {
        let numbers = self.places().at.get(place)?;
        let has_begun = |number: &u32| self.transactions()[*number as usize].first_step <= position;
        numbers
            .iter()
            .rfind(|number| has_begun(number))
            .or(numbers.first())
            .copied()
    }

    /// Name of a slot of the bootloader's heap at a position, with the number of the transaction that it is about, or `end`
    /// for what closes the batch. The overview is loaded.
    pub fn slot_name(&self, slot: usize, position: u64) -> String {
        self.layout().name_with(slot, |place| {
            let number = self.number_in_place(place, position);
            number.map_or_else(|| "end".to_owned(), |number| number.to_string())
        })
    }
}
