// The page of a stream: sends what the microphone or a played file gives, and shows the turns that come back.

import { applyEvent } from "./turns.js";

const find = (id) => document.getElementById(id);
const PLAIN = { echoCancellation: false, noiseSuppression: false, autoGainControl: false }; // they drop quiet speakers
let turns = [];
let stream = null; // what runs: {context, socket, end}

function clock(seconds) {
  const whole = Math.floor(seconds);
  const parts = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  return `${parts[0]}:${parts.slice(1).map((part) => String(part).padStart(2, "0")).join(":")}.${Math.floor((seconds % 1) * 10)}`;
}

function say(text) {
  find("state").textContent = text;
}

function show() {
  find("turns").replaceChildren(...turns.toReversed().map((turn) => {
    const row = document.createElement("tr");
    row.className = turn.open ? "open" : "";
    for (const text of [clock(turn.start), turn.open ? "speaking" : clock(turn.end), turn.speaker]) {
      row.append(Object.assign(document.createElement("td"), { textContent: text }));
    }
    return row;
  }));
}

function connect(rate) {
  const address = new URL(`socket?rate=${rate}`, location.href);
  address.protocol = address.protocol.replace("http", "ws");
  const socket = new WebSocket(address);
  let problem = "";
  socket.addEventListener("message", ({ data }) => {
    const event = JSON.parse(data);
    if (event.event === "error") problem = event.error;
    else {
      turns = applyEvent(turns, event);
      show();
    }
  });
  socket.addEventListener("close", ({ code }) => {
    if (!problem && code !== 1000) problem = "the server has refused the stream or is gone; too many may run";
    say(problem || "The stream has ended.");
    stop();
  });
  return socket;
}

// Run a stream; `open(context)` gives its audio node and what ends it.
async function start(open) {
  stop();
  turns = [];
  show();
  const context = new AudioContext();
  try {
    const { node, end } = await open(context);
    await context.audioWorklet.addModule("../assets/capture.js");
    const socket = connect(context.sampleRate);
    const capture = new AudioWorkletNode(context, "capture");
    capture.port.addEventListener("message", ({ data }) => {
      if (socket.readyState === WebSocket.OPEN) socket.send(data);
    });
    capture.port.start();
    node.connect(capture);
    stream = { context, socket, end };
    find("stop").disabled = false;
    say("Listening.");
  } catch (error) {
    await context.close();
    say(`There is no sound: ${error.message}`);
  }
}

function stop() {
  if (!stream) return;
  const { context, socket, end } = stream;
  stream = null;
  end();
  context.close();
  if (socket.readyState === WebSocket.OPEN) socket.send("end");
  find("stop").disabled = true;
}

find("stop").addEventListener("click", stop);

find("listen").addEventListener("click", () => start(async (context) => {
  const sound = await navigator.mediaDevices.getUserMedia({ audio: PLAIN });
  return {
    node: context.createMediaStreamSource(sound),
    end: () => sound.getTracks().forEach((track) => track.stop()),
  };
}));

find("choose").addEventListener("click", () => find("file").click());

find("file").addEventListener("change", () => start(async (context) => {
  const player = new Audio(URL.createObjectURL(find("file").files[0]));
  const node = context.createMediaElementSource(player);
  node.connect(context.destination);
  player.addEventListener("ended", stop);
  await player.play();
  return {
    node,
    end: () => {
      player.pause();
      URL.revokeObjectURL(player.src);
    },
  };
}));
