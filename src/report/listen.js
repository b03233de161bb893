"use strict";
(() => {
  const players = [...document.querySelectorAll("audio")];
  const talk = document.querySelector(".talk");
  if (!players.length) return;
  const words = talk ? [...talk.querySelectorAll("a[href*='#t=']")] : [];
  const at = words.map((word) => parseFloat(word.hash.slice(3)));
  const inTime = words.map((_, place) => place).sort((one, other) => at[one] - at[other]);
  const lanes = [...document.querySelectorAll("svg.said")];
  const says = document.getElementById("hears");
  let side = players[players.length - 1];
  let marked = null;
  let heads = [];

  const play = (seconds) => {
    side.currentTime = seconds;
    side.play().catch(() => {});
  };

  // One word at a time can be reached with the tabulator; the arrows go on from there.
  const reach = (word) => {
    words.forEach((other) => { if (other.tabIndex === 0) other.tabIndex = -1; });
    word.tabIndex = 0;
  };
  words.forEach((word, place) => { word.tabIndex = place ? -1 : 0; });

  if (talk) {
    talk.tabIndex = -1;
    talk.addEventListener("click", (event) => {
      const word = event.target.closest("a[href*='#t=']");
      if (!word || event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      reach(word);
      play(at[words.indexOf(word)]);
    });
    talk.addEventListener("keydown", (event) => {
      const place = words.indexOf(document.activeElement);
      if (place < 0) return;
      const to = { ArrowRight: place + 1, ArrowLeft: place - 1, Home: 0, End: words.length - 1 }[event.key];
      if (to !== undefined && words[to]) {
        event.preventDefault();
        reach(words[to]);
        words[to].focus();
      } else if (event.key === " ") {
        event.preventDefault();
        if (side.paused) side.play().catch(() => {}); else side.pause();
      }
    });
  }

  lanes.forEach((lane) => {
    const length = parseFloat(lane.dataset.length);
    lane.classList.add("plays");
    lane.addEventListener("click", (event) => {
      const box = lane.getBoundingClientRect();
      play((event.clientX - box.left) / box.width * length);
    });
    const head = document.createElementNS("http://www.w3.org/2000/svg", "line");
    head.setAttribute("class", "head");
    head.setAttribute("y1", "0");
    head.setAttribute("y2", "22");
    head.setAttribute("x1", "-1");
    head.setAttribute("x2", "-1");
    lane.append(head);
    heads.push([head, length]);
  });

  const show = () => {
    heads.forEach(([head, length]) => {
      const x = side.currentTime / length * 100 + "%";
      head.setAttribute("x1", x);
      head.setAttribute("x2", x);
    });
    // The last word that has begun.
    let low = 0, high = inTime.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (at[inTime[middle]] <= side.currentTime + 0.05) low = middle + 1; else high = middle;
    }
    const word = low ? words[inTime[low - 1]] : null;
    if (word === marked) return;
    if (marked) marked.removeAttribute("aria-current");
    marked = word;
    if (!word) return;
    word.setAttribute("aria-current", "true");
    if (side.paused) return;
    const box = talk.getBoundingClientRect(), place = word.getBoundingClientRect();
    if (place.top < box.top || place.bottom > box.bottom) {
      talk.scrollTop += place.top - box.top - box.height / 3;
    }
  };

  players.forEach((player) => {
    player.addEventListener("timeupdate", () => { if (player === side) show(); });
    player.addEventListener("play", () => {
      players.forEach((other) => { if (other !== player) other.pause(); });
      if (player !== side) choose(player);
    });
    player.addEventListener("error", () => {
      says.textContent = "The sound cannot be played. It may have been taken back; load the page anew, and it says so.";
    });
  });

  const choices = [...document.querySelectorAll("input[name=side]")];
  const choose = (player) => {
    side = player;
    choices.forEach((choice) => { choice.checked = choice.value === player.id; });
  };
  choices.forEach((choice) => choice.addEventListener("change", () => {
    const before = side, playing = !side.paused;
    choose(document.getElementById(choice.value));
    before.pause();
    if (before.currentTime) side.currentTime = before.currentTime;
    if (playing) side.play().catch(() => {});
  }));
  choose(side);
  document.querySelectorAll(".scripted").forEach((part) => { part.hidden = false; });
})();
