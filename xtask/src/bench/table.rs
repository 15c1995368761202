//! The numbers, as a table in Markdown.

/// One number, beside a peer's.
pub(super) struct Row {
    pub(super) what: String,
    pub(super) ours: String,
    pub(super) peer: String,
    pub(super) theirs: String,
    /// Ours to theirs.
    pub(super) ratio: Option<f64>,
    /// What was to be reached.
    pub(super) aim: String,
    /// Whether it was.
    pub(super) met: Option<bool>,
}

impl Row {
    /// A number whose ratio to a peer's may be so much at the most.
    pub(super) fn at_most(what: &str, ours: f64, peer: &str, theirs: f64, most: f64, unit: &str) -> Self {
        let ratio = ours / theirs;
        let aim = format!("at most {most:.2}");
        Self::compared(what, ours, peer, theirs, unit, aim, ratio <= most)
    }

    /// A number whose ratio to a peer's is to be so much at least.
    pub(super) fn at_least(what: &str, ours: f64, peer: &str, theirs: f64, least: f64, unit: &str) -> Self {
        let aim = format!("at least {least:.2}");
        Self::compared(what, ours, peer, theirs, unit, aim, ours / theirs >= least)
    }

    fn compared(what: &str, ours: f64, peer: &str, theirs: f64, unit: &str, aim: String, met: bool) -> Self {
        Self {
            what: what.to_owned(),
            ours: format!("{ours:.1} {unit}"),
            peer: peer.to_owned(),
            theirs: format!("{theirs:.1} {unit}"),
            ratio: Some(ours / theirs),
            aim,
            met: Some(met),
        }
    }

    /// A number beside a peer's that does less: no ratio says anything.
    pub(super) fn beside(what: &str, ours: f64, peer: &str, theirs: f64, unit: &str) -> Self {
        let (aim, met) = (String::new(), true);
        Self { ratio: None, met: None, ..Self::compared(what, ours, peer, theirs, unit, aim, met) }
    }

    /// A number with a limit of its own.
    pub(super) fn limited(what: &str, ours: String, aim: &str, met: bool) -> Self {
        let (what, aim) = (what.to_owned(), aim.to_owned());
        Self { what, ours, peer: String::new(), theirs: String::new(), ratio: None, aim, met: Some(met) }
    }
}

impl Row {
    /// Prints one as soon as it is there.
    pub(super) fn tell(&self) {
        let Self { what, ours, peer, theirs, .. } = self;
        let beside = if peer.is_empty() { String::new() } else { format!("; {peer}: {theirs}") };
        println!("  {what}: {ours}{beside}");
    }
}

/// Prints them.
pub(super) fn print(rows: &[Row]) {
    println!("\n| what | wif | peer | theirs | ratio | aim | met |\n|---|---|---|---|---|---|---|");
    for Row { what, ours, peer, theirs, ratio, aim, met } in rows {
        let ratio = ratio.map(|ratio| format!("{ratio:.2}")).unwrap_or_default();
        let met = met.map_or("", |met| if met { "yes" } else { "NO" });
        println!("| {what} | {ours} | {peer} | {theirs} | {ratio} | {aim} | {met} |");
    }
}
