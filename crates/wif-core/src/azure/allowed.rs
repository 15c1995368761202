//! A guard's list: what it names is allowed and nothing else, and a guard that is not set is another thing than one that
//! names nothing.

/// What a guard allows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Allowed<T> {
    /// The guard is not set: anything.
    Any,
    /// Only these. An empty list allows nothing.
    Only(Vec<T>),
}

impl<T> Allowed<T> {
    /// Whether something is allowed that an entry may stand for.
    pub fn allows(&self, stands_for: impl Fn(&T) -> bool) -> bool {
        match self {
            Self::Any => true,
            Self::Only(entries) => entries.iter().any(stands_for),
        }
    }

    /// Whether the guard is set.
    #[must_use]
    pub const fn is_set(&self) -> bool {
        matches!(self, Self::Only(_))
    }

    /// The same guard with every entry read further: one that cannot be read fails, and none is left out.
    ///
    /// # Errors
    ///
    /// The first entry that cannot be read.
    pub fn try_map<U, E>(&self, read: impl Fn(&T) -> Result<U, E>) -> Result<Allowed<U>, E> {
        match self {
            Self::Any => Ok(Allowed::Any),
            Self::Only(entries) => entries.iter().map(read).collect::<Result<_, _>>().map(Allowed::Only),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_list_allows_nothing_and_no_guard_allows_anything() {
        assert!(!Allowed::Only(Vec::<u8>::new()).allows(|_| true));
        assert!(Allowed::<u8>::Any.allows(|_| false));
        assert!(Allowed::Only(vec![1, 2]).allows(|entry| *entry == 2));
        assert!(!Allowed::Only(vec![1, 2]).allows(|entry| *entry == 3));
        assert!(Allowed::Only(Vec::<u8>::new()).is_set() && !Allowed::<u8>::Any.is_set());
    }

    #[test]
    fn an_entry_that_cannot_be_read_is_never_left_out() {
        let read = |entry: &u8| if *entry == 2 { Err("two") } else { Ok(u16::from(*entry)) };
        assert_eq!(Allowed::Only(vec![1, 2, 3]).try_map(read), Err("two"));
        assert_eq!(Allowed::Only(vec![1, 3]).try_map(read), Ok(Allowed::Only(vec![1, 3])));
        assert_eq!(Allowed::Any.try_map(read), Ok(Allowed::Any));
    }
}
