"use strict";
(() => {
  const root = document.documentElement;
  const every = (selector) => [...document.querySelectorAll(selector)];
  const one = (selector) => document.querySelector(selector);
  const coveredFor = 60_000; // milliseconds until a revealed secret covers itself
  const words = {
    copied: { ja: "「{}」をコピーしました", en: "Copied: {}" },
    selected: { ja: "コピーできませんでした。選択した「{}」を Ctrl+C でコピーしてください", en: "It could not be copied. {} is selected: press Ctrl+C" },
    shown: { ja: "シークレットを表示しました", en: "The secret is shown" },
    covered: { ja: "シークレットを隠しました", en: "The secret is covered" },
    ended: {
      ja: "このページは終了しました。シークレットはもう取得できません。必要な場合は proself-mail sheet をもう一度実行してください。",
      en: "This page has ended: the secret cannot be had any more. Run proself-mail sheet again if you need it.",
    },
  };
  const say = (key, name = "") => {
    const said = one("#said");
    said.textContent = words[key][root.lang].replace("{}", name);
    clearTimeout(say.timer);
    say.timer = setTimeout(() => { said.textContent = ""; }, 4000);
  };

  // Languages
  for (const button of every("[data-language]")) {
    button.addEventListener("click", () => {
      root.lang = button.dataset.language;
      document.title = root.lang === "ja" ? root.dataset.titleJa : root.dataset.titleEn;
      for (const each of every("[data-language]")) each.setAttribute("aria-pressed", String(each === button));
      if (over) one("#ended").textContent = words.ended[root.lang];
    });
  }

  // Ticks
  const ticks = every(".tick");
  const count = () => {
    const done = ticks.filter((tick) => tick.checked).length;
    one("[data-done]").textContent = String(done);
    one("#progress").value = done;
  };
  one("[data-all]").textContent = String(ticks.length);
  one("#progress").max = ticks.length;
  for (const tick of ticks) tick.addEventListener("change", count);
  count();

  // Days left, which a file may be opened long after it was written
  const left = Math.floor((new Date(one("[data-expires]").dateTime) - Date.now()) / 86_400_000);
  for (const days of every("[data-days]")) days.textContent = String(Math.max(0, left));
  for (const plural of every("[data-plural]")) plural.textContent = left === 1 ? "" : "s";
  one(".expiry").classList.toggle("soon", left < 30);

  // The secret: asked for each time, kept nowhere but in the element that shows it
  const shown = one(".secret");
  const toggle = one("[data-reveal]");
  const cover = shown?.textContent;
  let token = root.dataset.token;
  let over = false;
  let timer;
  delete root.dataset.token;
  if (token) history.replaceState(null, "", "/"); // the address is spent, and nobody's to see

  const post = (path, options = {}) => fetch(path, { method: "POST", headers: { "x-sheet-token": token }, ...options });
  const secret = async () => {
    const embedded = one("#secret");
    if (embedded) return embedded.content.textContent;
    const answer = await post("/secret");
    if (!answer.ok) throw new Error("refused");
    return answer.text();
  };
  const show = (text) => {
    clearTimeout(timer);
    shown.textContent = text ?? cover;
    toggle.setAttribute("aria-pressed", String(text !== undefined));
    if (text !== undefined) timer = setTimeout(() => { show(); say("covered"); }, coveredFor);
  };
  const end = () => {
    if (over) return;
    over = true;
    token = undefined;
    if (toggle) {
      show();
      for (const button of every(`[data-reveal], [data-copy="${shown.dataset.value}"]`)) button.disabled = true;
    }
    one("#ended").textContent = words.ended[root.lang];
  };
  toggle?.addEventListener("click", async () => {
    if (toggle.getAttribute("aria-pressed") === "true") {
      show();
      say("covered");
      return;
    }
    try {
      show(await secret());
      say("shown");
    } catch {
      end();
    }
  });

  // Copying. The clipboard is given a promise, for Safari forgets the click while it waits.
  const write = (text) => {
    const blob = text.then((found) => new Blob([found], { type: "text/plain" }));
    return navigator.clipboard.write([new ClipboardItem({ "text/plain": blob })]);
  };
  for (const button of every("[data-copy]")) {
    button.addEventListener("click", async () => {
      const from = one(`[data-value="${button.dataset.copy}"]`);
      const text = from === shown ? secret() : Promise.resolve(from.textContent);
      try {
        await write(text);
        button.classList.add("copied");
        setTimeout(() => button.classList.remove("copied"), 1500);
        say("copied", from.dataset.name);
      } catch {
        try {
          const found = await text;
          if (from === shown) show(found);
        } catch {
          end();
          return;
        }
        getSelection().selectAllChildren(from);
        say("selected", from.dataset.name);
      }
    });
  }

  // While this connection stands, the page is open; the secret lives no longer than that
  const stay = async () => {
    for (let failures = 0; failures < 3; ) {
      try {
        const answer = await post("/open");
        if (!answer.ok) break;
        const reader = answer.body.getReader();
        while (!(await reader.read()).done) failures = 0;
        break;
      } catch {
        failures += 1; // a machine that slept cuts connections
        await new Promise((resolve) => setTimeout(resolve, 500));
      }
    }
    end();
  };
  if (token) {
    addEventListener("pagehide", () => {
      if (!over) post("/closed", { keepalive: true }).catch(() => {});
      end();
    });
    stay();
  }
})();
