// The page of jobs: uploads a recording, and shows all jobs with their states and results.

const STAGES = { hear: "detect speech", embed: "embed windows", label: "cluster", resegment: "resegment", turns: "make turns" };
const PAUSE = 1500; // ms between two looks at the jobs

const find = (id) => document.getElementById(id);
let limits = { max_bytes: Infinity };
let formats = [];

function element(name, text = "", values = {}) {
  const made = Object.assign(document.createElement(name), values);
  made.textContent = text;
  return made;
}

function describe(job) {
  if (job.state === "failed") return `failed: ${job.error}`;
  if (job.state === "waiting") return `waiting, place ${job.place}`;
  if (job.state === "done") {
    return `done: ${job.speakers} speakers, ${job.duration.toFixed(1)} s of audio in ${job.seconds.toFixed(1)} s`;
  }
  if (!job.progress) return "running";
  const { stage, done, total } = job.progress;
  const part = total ? ` ${Math.round((100 * done) / total)} %` : stage === "hear" ? ` ${Math.round(done)} s` : "";
  return `running: ${STAGES[stage] ?? stage}${part}`;
}

function row(job) {
  const made = document.createElement("tr");
  const results = element("td", "", { className: "formats" });
  for (const format of job.state === "done" ? formats : []) {
    results.append(element("a", format, { href: `jobs/${job.id}/result?format=${format}`, download: "" }));
  }
  const remove = element("button", "Delete", { type: "button" });
  remove.addEventListener("click", async () => {
    await fetch(`jobs/${job.id}`, { method: "DELETE" });
    await show();
  });
  const last = document.createElement("td");
  last.append(remove);
  const state = element("td", describe(job), { className: job.state === "failed" ? "error" : "" });
  made.append(element("td", job.recording), state, results, last);
  return made;
}

async function show() {
  const { jobs } = await (await fetch("jobs")).json();
  find("jobs").replaceChildren(...jobs.reverse().map(row));
}

function send(file, speakers) {
  const query = new URLSearchParams({ name: file.name, ...(speakers && { num_speakers: speakers }) });
  const request = new XMLHttpRequest(); // fetch does not tell how much has been sent
  return new Promise((resolve, reject) => {
    request.upload.addEventListener("progress", (event) => { find("sent").value = event.loaded / event.total; });
    request.addEventListener("error", () => reject(new Error("the server has closed the connection")));
    request.addEventListener("load", () => {
      if (request.status === 201) resolve();
      else reject(new Error(JSON.parse(request.responseText).error));
    });
    request.open("POST", `jobs?${query}`);
    request.send(file);
  });
}

find("upload").addEventListener("submit", async (event) => {
  event.preventDefault();
  const [file] = find("file").files;
  find("message").textContent = "";
  if (file.size > limits.max_bytes) {
    find("message").textContent = `${file.name} is larger than ${limits.max_bytes / 1e6} MB`;
    return;
  }
  find("sent").hidden = false;
  try {
    await send(file, find("speakers").value);
    find("upload").reset();
  } catch (error) {
    find("message").textContent = error.message;
  }
  find("sent").hidden = true;
  await show();
});

({ limits, formats } = await (await fetch("status")).json());
find("keep").textContent = `${Math.round(limits.keep / 360) / 10} hours`;
for (;;) {
  try {
    await show();
  } catch {
    find("message").textContent = "the server does not answer";
  }
  await new Promise((resolve) => { setTimeout(resolve, PAUSE); });
}
