// Turns of a stream, as its events make them. A turn is {start, end, speaker, open}, in seconds.

const TOUCH = 0.005;

// The turns after an event, sorted by start. A correction replaces all that was said between its times.
export function applyEvent(turns, event) {
  const { start, end } = event;
  if (event.event === "correct") {
    const outside = turns.flatMap((turn) => [
      { ...turn, end: Math.min(turn.end, start), open: false },
      { ...turn, start: Math.max(turn.start, end) },
    ]).filter((turn) => turn.end - turn.start > TOUCH);
    return join([...outside, ...event.turns.map((turn) => ({ ...turn, open: false }))]);
  }
  const turn = { start, end, speaker: event.speaker, open: event.event === "begin" };
  const others = turns.filter((each) => each.speaker !== turn.speaker || each.end < start || each.start > end);
  return [...others, turn].sort((one, other) => one.start - other.start);
}

// Turns of one speaker that touch are one turn.
function join(turns) {
  const joined = [];
  for (const turn of turns.sort((one, other) => one.start - other.start)) {
    const before = joined.findLast((each) => each.speaker === turn.speaker);
    if (before && turn.start <= before.end + TOUCH) {
      before.end = Math.max(before.end, turn.end);
      before.open ||= turn.open;
    } else {
      joined.push({ ...turn });
    }
  }
  return joined;
}
