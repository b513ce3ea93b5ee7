// The keys of the page, and the list of them that "?" shows. They do nothing while a field has the focus.

class Keys {
  constructor(page) {
    const { turns, view, player, corrections, form, speakerList, doubts, errorList, goTo, save } = page;
    const chosen = () => [...turns.selected];
    const nudge = (edge, ms) => () => {
      const [turn] = turns.chosen();
      if (turn) corrections.move(turn.id, turn.start + (edge === "start" ? ms : 0), turn.end + (edge === "end" ? ms : 0));
    };
    const toPlayer = (edge) => () => {
      const [turn] = turns.chosen();
      const time = Math.round(player.time);
      if (!turn) return;
      if (edge === "start" ? time >= turn.end : time <= turn.start) page.say("The player is beyond the other end of the turn.");
      else corrections.move(turn.id, edge === "start" ? time : turn.start, edge === "end" ? time : turn.end);
    };
    // The turn before or after the selected one; without one, that at the player.
    const neighbour = (step) => {
      const places = turns.chosen().map((turn) => turns.list.indexOf(turn));
      if (places.length) return turns.list[step > 0 ? Math.max(...places) + 1 : Math.min(...places) - 1];
      const ahead = turns.firstFrom(player.time);
      return turns.list[step > 0 ? ahead : ahead - 1];
    };
    const go = (step) => () => { const turn = neighbour(step); if (turn) goTo(turn); };
    const extend = (step) => () => { const turn = neighbour(step); if (turn) turns.select([...turns.selected, turn.id]); };
    const rename = () => {
      const turn = turns.chosen()[0] ?? turns.at(player.time)[0];
      if (turn) speakerList.edit(turn.speaker);
    };
    const follow = element("follow");

    this.groups = [
      ["Hear", [
        [[" "], "Space", "play or pause", () => player.toggle()],
        [["Enter"], "Enter", "play the selected turn", () => form.play()],
        [["ArrowLeft"], "←", "back 1 s", () => player.seek(player.time - 1000)],
        [["ArrowRight"], "→", "forward 1 s", () => player.seek(player.time + 1000)],
        [["Shift+ArrowLeft"], "Shift ←", "back 10 s", () => player.seek(player.time - 10000)],
        [["Shift+ArrowRight"], "Shift →", "forward 10 s", () => player.seek(player.time + 10000)],
      ]],
      ["Go to", [
        [["ArrowDown"], "↓", "next turn", go(1)],
        [["ArrowUp"], "↑", "previous turn", go(-1)],
        [["Shift+ArrowDown"], "Shift ↓", "select the next turn as well", extend(1)],
        [["Shift+ArrowUp"], "Shift ↑", "select the previous turn as well", extend(-1)],
        [["n"], "n", "next doubtful turn", () => doubts.next(1)],
        [["p"], "p", "previous doubtful turn", () => doubts.next(-1)],
        [["e"], "e", "next error", () => errorList.next(1)],
        [["Shift+E"], "Shift e", "previous error", () => errorList.next(-1)],
        [["Escape"], "Esc", "select nothing", () => turns.select([])],
      ]],
      ["Zoom", [
        [["+", "="], "+", "closer", () => view.zoom(1.6, this.anchor(view, player))],
        [["-"], "−", "wider", () => view.zoom(1 / 1.6, this.anchor(view, player))],
        [["0"], "0", "the whole recording", () => view.all()],
        [["v"], "v", "the selected turns", () => {
          const list = turns.chosen();
          if (list.length) view.zoomTo(list[0].start, Math.max(...list.map((turn) => turn.end)));
        }],
        [["l"], "l", "follow the player, or do not", () => { follow.checked = !follow.checked; }],
      ]],
      ["Correct the speaker", [
        [["1", "2", "3", "4", "5", "6", "7", "8", "9"], "1 to 9", "give the selected turns to this speaker", (event) => {
          const speaker = turns.speakers[Number(event.key) - 1];
          if (speaker) corrections.reassign(chosen(), speaker.id);
        }],
        [["u"], "u", "give them to a new speaker", () => corrections.split(chosen())],
        [["c"], "c", "the speaker is right", () => form.confirm()],
        [["r"], "r", "rename the speaker; an existing name merges", rename],
      ]],
      ["Correct the time", [
        [["a"], "a", "start 50 ms earlier", nudge("start", -50)],
        [["s"], "s", "start 50 ms later", nudge("start", 50)],
        [["d"], "d", "end 50 ms earlier", nudge("end", -50)],
        [["f"], "f", "end 50 ms later", nudge("end", 50)],
        [["i"], "i", "start at the player", toPlayer("start")],
        [["o"], "o", "end at the player", toPlayer("end")],
        [["x"], "x", "cut at the player", () => form.cut()],
        [["t"], "t", "add a turn: of the chosen time, or at the player", () => form.add()],
        [["Delete", "Backspace"], "Delete", "delete the selected turns", () => form.remove()],
      ]],
      ["Page", [
        [["z", "Mod+z"], "z", "undo", () => turns.undo()],
        [["Shift+Z", "Mod+y", "Mod+Shift+Z"], "Shift z", "redo", () => turns.redo()],
        [["Mod+s"], "Ctrl s", "save", save],
        [["?", "Shift+?"], "?", "show these keys", () => element("keys").showModal()],
      ]],
    ];
    this.actions = new Map(this.groups.flatMap(([, keys]) => keys.flatMap(([names, , , act]) => names.map((name) => [name, act]))));
    document.addEventListener("keydown", (event) => this.press(event));
    element("show-keys").addEventListener("click", () => element("keys").showModal());
    this.list();
  }

  anchor(view, player) {
    return player.time >= view.start && player.time <= view.end ? player.time : undefined;
  }

  press(event) {
    const mod = event.ctrlKey || event.metaKey;
    if (event.altKey || element("keys").open) return;
    const { target } = event;
    const typing = target.matches("input:not([type=checkbox]), select, textarea");
    if (typing && !(mod && event.key.toLowerCase() === "s")) return;
    if (!mod && !element("keys-on").checked && event.key !== "?") return;
    if ([" ", "Enter"].includes(event.key) && target.matches("button, summary, input")) return;
    const letter = event.key.length === 1 && event.key.toLowerCase() !== event.key.toUpperCase();
    const named = event.key.length > 1 && event.shiftKey; // Shift is part of the other characters themselves
    const key = mod && letter && !event.shiftKey ? event.key.toLowerCase() : event.key;
    const name = `${mod ? "Mod+" : ""}${(event.shiftKey && letter) || named ? "Shift+" : ""}${key}`;
    const act = this.actions.get(name);
    if (!act) return;
    event.preventDefault();
    act(event);
  }

  list() {
    element("key-table").tBodies[0].replaceChildren(...this.groups.flatMap(([title, keys]) => [
      make("tr", {}, make("th", { colspan: 2, scope: "rowgroup" }, title)),
      ...keys.map(([, shown, what]) => make("tr", {}, make("td", {}, make("kbd", {}, shown)), make("td", {}, what))),
    ]));
  }
}
