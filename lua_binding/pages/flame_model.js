// What the file has, and trees of it. Times are in microseconds.
const KIND = { lua: 0, c: 1, greenlet: 2, main: 3, hub: 4, wait: 5, ready: 6, note: 7 };

// `{problem}` where it cannot be read.
function readProfile(text) {
  if (text.trim() === "") return { problem: "There is no profile in this file: it ends before." };
  try {
    const data = JSON.parse(text);
    if (data && Array.isArray(data.nodes) && Array.isArray(data.frames)) return data;
    return { problem: "What is in this file is not a profile." };
  } catch (error) {
    return { problem: `The profile in this file cannot be read; it may have been cut off. (${error.message})` };
  }
}

function buildModel(data) {
  const frames = (data.frames || []).map((frame, index) => {
    if (!frame) return null;
    const [kind, name, file, line] = frame, shown = units.visible(name);
    const place = file ? units.visible(file) + (line > 0 ? `:${line}` : "") : "";
    const text = kind === KIND.lua ? `${shown} (${place})` : kind === KIND.c ? `${shown} [C]` : shown;
    return { index, kind, name: shown, place, file, text, sought: text.toLowerCase() };
  });
  const nodes = (data.nodes || []).map(([parent, frame, cpu, wait], index) =>
    ({ index, parent: parent - 1, frame: frames[frame], cpu, wait, children: [] }));
  for (const node of nodes) if (node.parent >= 0) nodes[node.parent].children.push(node);
  const shares = (data.shares || []).map(([node, greenlets, cpu, wait, ready]) =>
    ({ node: nodes[node], frame: nodes[node].frame, greenlets, cpu, wait, ready }));
  return { data, problem: data.problem, frames, nodes, shares,
    roots: nodes.filter((node) => node.parent < 0) };
}

const weightOf = {
  cpu: (node) => node.cpu,
  wait: (node) => node.wait,
  both: (node) => node.cpu + node.wait,
};

// The function that a greenlet with a name runs: of the frames in its root that of most time.
function functionOf(root) {
  const total = (node) => node.children.reduce((sum, child) => sum + total(child),
    node.cpu + node.wait);
  const best = (list) => list.reduce((most, child) => (!most || total(child) > total(most)
    ? child : most), null);
  return best(root.children.filter((child) => child.frame.kind <= KIND.c));
}

// A tree of one kind of time, in which roots of named greenlets may be left out, so that those of
// one function are together. A node has {frame, parent, depth, children, self, total, cpu, wait,
// x, width}: x and width in shares of the whole, children from the greatest on.
function buildTree(model, mode, merged) {
  const weight = weightOf[mode];
  const make = (frame, parent) => ({ frame, parent, depth: parent ? parent.depth + 1 : 0,
    byFrame: new Map(), children: [], self: 0, total: 0, cpu: 0, wait: 0, x: 0, width: 1 });
  const all = make({ kind: KIND.note, text: "all", name: "all", place: "", sought: "", index: -1 }, null);
  const homes = new Map(); // of nodes of the file
  const list = [all];

  function inside(parent, frame) {
    let node = parent.byFrame.get(frame.index);
    if (!node) {
      node = make(frame, parent);
      parent.byFrame.set(frame.index, node);
      parent.children.push(node);
      list.push(node);
    }
    return node;
  }

  // Parents come before their children in the file.
  const standIns = new Map();
  function home(node) {
    if (node.parent < 0) {
      const stand = merged && node.frame.kind === KIND.greenlet ? functionOf(node) : null;
      standIns.set(node.index, stand);
      return stand ? inside(all, stand.frame) : inside(all, node.frame);
    }
    if (standIns.get(node.parent) && node.frame.kind <= KIND.c) return inside(all, node.frame);
    return inside(homes.get(node.parent), node.frame);
  }
  for (const node of model.nodes) {
    const at = home(node);
    homes.set(node.index, at);
    at.self += weight(node);
    at.cpu += node.cpu;
    at.wait += node.wait;
  }
  for (let i = list.length - 1; i >= 0; i--) {
    const node = list[i];
    node.total += node.self;
    if (node.parent) {
      node.parent.total += node.total;
      node.parent.cpu += node.cpu;
      node.parent.wait += node.wait;
    }
  }
  layOut(list, all);
  let deepest = 0;
  for (const node of list) if (node.total > 0) deepest = Math.max(deepest, node.depth);
  return { all, list, homes, mode, merged, deepest };
}

// Parents before children, as they are in the list.
function layOut(list, all) {
  const scale = all.total > 0 ? 1 / all.total : 0;
  for (const node of list) {
    node.children = node.children.filter((child) => child.total > 0)
      .sort((a, b) => b.total - a.total || a.frame.index - b.frame.index);
    let x = node.x;
    for (const child of node.children) {
      child.x = x;
      child.width = child.total * scale;
      x += child.width;
    }
  }
}

// Of each function, over all stacks: {frame, self, total, cpu, wait}; recursion counts once.
function functionTimes(tree) {
  const times = new Map();
  const under = new Map(); // frames on the stack of what is visited
  const entry = (frame) => {
    if (!times.has(frame.index)) times.set(frame.index, { frame, self: 0, total: 0 });
    return times.get(frame.index);
  };
  const stack = [[tree.all, 0]];
  while (stack.length > 0) {
    const top = stack[stack.length - 1], [node, next] = top;
    const key = node.frame.index;
    if (next === 0 && node.parent) {
      const depth = under.get(key) || 0, it = entry(node.frame);
      it.self += node.self;
      if (depth === 0) it.total += node.total;
      under.set(key, depth + 1);
    }
    if (next < node.children.length) {
      top[1]++;
      stack.push([node.children[next], 0]);
    } else {
      if (node.parent) under.set(key, under.get(key) - 1);
      stack.pop();
    }
  }
  return Array.from(times.values()).filter(({ total }) => total > 0);
}

// How much of the time has such a frame on its stack: each stack counts once.
function soughtTime(tree, matches) {
  let time = 0;
  const open = [tree.all];
  while (open.length > 0) {
    const node = open.pop();
    if (matches(node.frame)) time += node.total;
    else open.push(...node.children);
  }
  return time;
}
