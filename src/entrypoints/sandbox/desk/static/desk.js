// Shows what changed every two seconds, except while somebody is filling something in.
"use strict";

async function refresh() {
  const desk = document.getElementById("desk");
  if (document.hidden || desk.contains(document.activeElement)) return;
  try {
    const answer = await fetch("/desk", { headers: { accept: "text/html" } });
    if (!answer.ok) return;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("desk");
    const typed = [...desk.querySelectorAll("input, select")].some((each) => each.dataset.touched);
    if (fresh && !typed && fresh.innerHTML !== desk.innerHTML) desk.replaceChildren(...fresh.childNodes);
  } catch {
    // The next round tries again.
  }
}

document.addEventListener("input", (event) => { event.target.dataset.touched = "yes"; });
setInterval(refresh, 2000);
