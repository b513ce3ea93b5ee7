// Times are whole milliseconds everywhere.

// 3723450 as "1:02:03.450"; with fewer decimals the rest is cut off, as players do.
function clock(ms, decimals = 3) {
  const seconds = Math.floor(ms / 1000);
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
  const two = (number) => String(number).padStart(2, "0");
  const head = hours ? `${hours}:${two(minutes)}` : `${minutes}`;
  const tail = decimals ? "." + String(Math.floor(ms) % 1000).padStart(3, "0").slice(0, decimals) : "";
  return `${head}:${two(seconds % 60)}${tail}`;
}

// The milliseconds of "1:02:03.45", "62.5" or "0:07"; null for anything else.
function readClock(text) {
  const found = /^\s*(?:(?:(\d+):)?(\d+):)?(\d+(?:[.,]\d*)?)\s*$/.exec(text);
  if (!found) return null;
  const seconds = Number(found[3].replace(",", "."));
  return Math.round(1000 * (3600 * Number(found[1] || 0) + 60 * Number(found[2] || 0) + seconds));
}

// "2 h 03 min", "1 min 06 s", "8.5 s"
function spell(ms) {
  const seconds = Math.round(ms / 1000);
  if (seconds < 60) return `${(ms / 1000).toFixed(1)} s`;
  const two = (number) => String(number).padStart(2, "0");
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${two(seconds % 60)} s`;
  const minutes = Math.round(seconds / 60);
  return `${Math.floor(minutes / 60)} h ${two(minutes % 60)} min`;
}

const clamp = (value, low, high) => Math.min(Math.max(value, low), high);
const plural = (number, word) => `${number.toLocaleString("en")} ${word}${number === 1 ? "" : "s"}`;

// The element of an id, and a new element with text and attributes. Text is never read as HTML.
const element = (id) => document.getElementById(id);
function make(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (value !== null && value !== false) made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children);
  return made;
}

// Put new children into an element; the focus stays at its place among the buttons and fields there.
function refill(box, ...children) {
  const fields = () => [...box.querySelectorAll("button, input")];
  const place = fields().indexOf(document.activeElement);
  box.replaceChildren(...children);
  if (place >= 0) fields()[Math.min(place, fields().length - 1)]?.focus({ preventScroll: true });
}

// The bytes of a base64 text.
function bytesOf(base64) {
  const text = atob(base64);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}
