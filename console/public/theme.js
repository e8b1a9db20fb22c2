// Before the first paint, so that a page in the other theme does not flash. A file of its own: inline script is forbidden.
try {
  const theme = JSON.parse(localStorage.getItem('understudy.preferences') ?? '{}').theme
  if (theme === 'dark' || theme === 'light') document.documentElement.dataset.theme = theme
} catch {
  // Storage may be shut off; then the system's theme holds.
}
