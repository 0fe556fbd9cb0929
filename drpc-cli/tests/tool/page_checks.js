"use strict";
{
  const wrong = [];
  const check = (what, seen, expected) => {
    if (JSON.stringify(seen) !== JSON.stringify(expected)) {
      wrong.push(`${what}: ${JSON.stringify(seen)} instead of ${JSON.stringify(expected)}`);
    }
  };
  const all = (selector) => [...document.querySelectorAll(selector)];
  const texts = (selector) => all(selector).map((found) => found.textContent);
  const box = document.getElementById("search");
  const search = (words) => { box.value = words; box.dispatchEvent(new Event("input")); };
  const press = (id) => document.getElementById(id).click();

  check("calls", all(".call").length, 23);
  check("replies", all(".call .reply").length, 22);
  check("failed", all(".call.bad").length, 2);
  check("lanes", texts(".name"), ["doorman[812]", "<script>alert(1)<\/script>[907]", "greeter.sock"]);
  check("methods", texts("#methods td:first-child"), ["greeter.hello", "greeter.bye", "greeter.wait", "greeter.watch"]);
  check("bars that count all", texts("#histogram title").reduce((sum, text) => sum + Number(text.match(/(\d+) calls/)[1]), 0), 22);
  check("labels", texts(".call text").length, 23);

  search("greeter.bye");
  check("found", all(".call").length, 1);
  check("count", document.getElementById("count").textContent, "1 of 23 calls");
  search("907 failure");
  check("found by client and status", all(".call").length, 0);
  search("812 failure");
  check("found by client and status", all(".call").length, 2);
  search("greeter.watch");
  check("a stream", texts(".call text"), ["greeter.watch 2 items, SUCCESS 3.00 ms"]);
  check("its items", all(".call .items").map((marks) => marks.getAttribute("d").split("M").length - 1), [2]);
  document.querySelector(".call").dispatchEvent(new MouseEvent("click"));
  check("its last item", texts("#chosen h2, #chosen pre"), ["Request, 0 bytes", "", "Last item, 1 bytes", "02"]);
  search("");
  press("failed");
  check("failed or without reply", all(".call").length, 3);
  press("failed");
  check("all again", all(".call").length, 23);

  const ticks = texts(".tick").join();
  for (let times = 0; times < 5; times++) press("in");
  check("fewer calls after zooming in", all(".call").length < 5, true);
  check("other times", texts(".tick").join() === ticks, false);
  press("all");
  check("the same times", texts(".tick").join(), ticks);
  const picture = document.querySelector("#diagram svg");
  picture.dispatchEvent(new WheelEvent("wheel", { deltaY: -900, clientY: 300, cancelable: true }));
  check("fewer calls by the wheel", all(".call").length < 23, true);
  document.dispatchEvent(new KeyboardEvent("keydown", { key: "0" }));
  check("the same times by a key", texts(".tick").join(), ticks);

  check("what took long", texts("#slowest tr:nth-child(1) td")[0], "greeter.bye");
  document.querySelector("#slowest tr").click();
  check("chosen", all(".call.chosen").length, 1);
  check("its details", texts("#chosen td").includes("8.96 ms"), true);
  check("looked at closely", all(".call").length < 23, true);
  check("complaints", window.complaints, []);

  const result = document.createElement("pre");
  result.id = "result";
  result.textContent = wrong.length ? wrong.join("\n") : "all is well";
  document.body.append(result);
}
