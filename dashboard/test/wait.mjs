/** Waits for a condition, with a deadline: no test sleeps for a time that somebody has guessed. */
export const DEADLINE_MS = 60_000;

export async function eventually(what, condition, deadlineMs = DEADLINE_MS) {
  const end = Date.now() + deadlineMs;
  let seen;
  for (;;) {
    try {
      const value = await condition();
      if (value) return value;
      seen = value;
    } catch (error) {
      seen = error;
    }
    if (Date.now() > end) throw new Error(`${what}: not within ${deadlineMs / 1000} s (${seen?.message ?? seen})`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
