//! The terminal that a stream leads to.

/// How many columns it has. None, where the stream is no terminal, or the terminal does not say so.
#[cfg(unix)]
#[must_use]
pub fn columns(stream: &impl std::os::fd::AsFd) -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(stream).ok()?;
    Some(size.ws_col.into())
}

/// How many columns it has. Windows is not asked: its terminals break lines themselves.
#[cfg(not(unix))]
#[must_use]
pub fn columns<Stream>(_stream: &Stream) -> Option<usize> {
    None
}
