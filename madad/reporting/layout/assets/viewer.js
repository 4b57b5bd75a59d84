// The viewer of volumes: two methods beside each other on one case, with one crosshair and a threshold each.
"use strict";

class Viewer {
  constructor(root, sets, colours) {
    Object.assign(this, { root, sets, colours, shown: { map: true, contour: true, reference: true } });
    this.at = [0, 0, 0];
    this.choose = Object.fromEntries([...root.querySelectorAll("select")].map((one) => [one.name, one]));
    this.panes = [...root.querySelectorAll(".pane")].map((element) => ({ element, level: 0 }));
    this.fill(this.choose.set, sets.map((one) => one.title));
    this.choose.set.onchange = () => this.open(this.choose.set.selectedIndex);
    this.choose.case.onchange = () => this.load();
    this.choose.kind.onchange = () => this.load();
    for (const box of root.querySelectorAll("input[type=checkbox]")) {
      box.onchange = () => { this.shown[box.name] = box.checked; this.draw(); };
    }
    this.panes.forEach((pane, side) => this.prepare(pane, side));
    root.addEventListener("keydown", (event) => this.key(event));
    this.ready = this.open(0);
  }

  fill(select, names) {
    select.replaceChildren(...names.map((name) => new Option(name)));
  }

  prepare(pane, side) {
    pane.method = pane.element.querySelector("select");
    pane.slider = pane.element.querySelector("input[type=range]");
    pane.method.onchange = () => this.load();
    pane.slider.oninput = () => { pane.level = Number(pane.slider.value); this.count(pane); this.draw(); };
    pane.element.querySelector("button").onclick = () => this.reset(pane);
    pane.views = [...pane.element.querySelectorAll("canvas")];
    pane.views.forEach((canvas, plane) => {
      const move = (event) => { if (event.buttons || event.type === "click") this.point(canvas, plane, event); };
      canvas.onclick = move;
      canvas.onpointermove = move;
      canvas.onwheel = (event) => this.wheel(plane, event);
    });
    pane.side = side;
  }

  // Open a test set, and there a case and the methods of the two panes, by name.
  async open(set, methods = [], name = null) {
    this.set = this.sets[set];
    this.choose.set.selectedIndex = set;
    this.fill(this.choose.case, this.set.cases.map((one) => `${one.name} (${one.reason})`));
    if (name) this.choose.case.selectedIndex = Math.max(0, this.set.cases.findIndex((one) => one.name === name));
    this.root.querySelector(".kind").hidden = !this.set.processed;
    const names = this.set.methods.map((one) => one.name);
    this.panes.forEach((pane) => {
      this.fill(pane.method, names);
      const wanted = names.indexOf(methods[pane.side] ?? this.set.opens[pane.side]);
      pane.method.selectedIndex = wanted >= 0 ? wanted : Math.min(pane.side, names.length - 1);
    });
    await this.load();
  }

  // Show what the menus say: the volumes of a case under two methods.
  async load() {
    const one = this.set.cases[this.choose.case.selectedIndex];
    if (!one) return;
    if (this.case !== one) {
      const [image, brain, lesion] = await Promise.all([one.image, one.brain, one.lesion].map(volumes.unpacked));
      const inside = lesion.map((value) => (value === volumes.INSIDE ? 1 : 0));
      Object.assign(this, { case: one, image, brain, lesion, lesions: volumes.components(inside, one.shape) });
      this.at = [...one.start];
    }
    const raw = this.set.processed && this.choose.kind.value === "raw";
    for (const pane of this.panes) {
      const index = pane.method.selectedIndex, stored = one.maps[index];
      pane.about = this.set.methods[index];
      pane.map = await volumes.unpacked(raw || !stored.scored ? stored.raw : stored.scored);
      pane.element.querySelector(".remark").textContent = stored.remark;
      pane.element.querySelector(".number").textContent = stored.number;
      pane.slider.max = this.set.levels;
      this.reset(pane, false);
    }
    this.size();
    this.draw();
  }

  reset(pane, draw = true) {
    pane.level = pane.about.cut === null ? Math.round(this.set.levels / 2) : pane.about.cut;
    pane.slider.value = pane.level;
    this.count(pane);
    if (draw) this.draw();
  }

  // Dice, components and lesions found at the pane's threshold, in words.
  count(pane) {
    const { mask, number } = volumes.above(pane.map, pane.level, this.brain, this.case.shape, this.set.minComponent);
    pane.mask = mask;
    const score = (pane.level * pane.about.step).toPrecision(3);
    const raw = this.set.processed && this.choose.kind.value === "raw";
    const named = pane.level === pane.about.cut && !raw ? ` (${this.set.thresholdsOf ?? "of the tables"}: ${pane.about.cutTitle})` : "";
    const { number: lesions, noticed } = volumes.found(mask, this.lesions);
    const dice = volumes.dice(mask, this.lesion);
    const parts = [`threshold ${score}${named}`, `${number} component${number === 1 ? "" : "s"} above it`];
    if (!this.case.marked) parts.unshift("no reference mask");
    else if (lesions) parts.unshift(`Dice ${dice.toFixed(3)}`, `${noticed} of ${lesions} lesion${lesions === 1 ? "" : "s"} found`);
    else parts.unshift("no lesion");
    if (this.case.stride > 1) parts.push("every second voxel: numbers are approximate");
    pane.element.querySelector(".count").textContent = parts.join(" · ");
  }

  // Rows and columns of a plane, and the place of its pixel in the volume: 0 axial, 1 coronal, 2 sagittal; up is anterior or upper.
  plane(plane) {
    const [slices, rows, columns] = this.case.shape;
    const [height, width] = [[rows, columns], [slices, columns], [slices, rows]][plane];
    const place = (y, x) => {
      const up = height - 1 - y;
      const [z, row, column] = [[this.at[0], up, x], [up, this.at[1], x], [up, x, this.at[2]]][plane];
      return (z * rows + row) * columns + column;
    };
    return { height, width, place };
  }

  // Canvases in the shape of the voxels; one slice alone has no other planes.
  size() {
    const [depth, tall, wide] = this.set.spacing;
    const flat = this.case.shape[0] === 1;
    for (const pane of this.panes) {
      pane.views.forEach((canvas, plane) => {
        const { height, width } = this.plane(plane);
        const [up, across] = [[tall, wide], [depth, wide], [depth, tall]][plane];
        canvas.hidden = flat && plane > 0;
        canvas.width = width * 4;
        canvas.height = Math.max(1, Math.round((height * 4 * up) / across));
      });
    }
  }

  draw() {
    const shape = this.case.shape;
    this.root.querySelector(".place").textContent =
      `slice ${this.at[0] + 1} of ${shape[0]}, row ${this.at[1] + 1} of ${shape[1]}, column ${this.at[2] + 1} of ${shape[2]}`;
    for (const pane of this.panes) {
      pane.views.forEach((canvas, plane) => this.paint(pane, canvas, plane));
      const here = (this.at[0] * shape[1] + this.at[1]) * shape[2] + this.at[2];
      pane.element.querySelector(".here").textContent = `score at the cross: ${(pane.map[here] * pane.about.step).toPrecision(3)}`;
    }
  }

  paint(pane, canvas, plane) {
    const { height, width, place } = this.plane(plane);
    const picture = new ImageData(width, height);
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        picture.data.set(this.colour(pane, place(y, x)), 4 * (y * width + x));
      }
    }
    const small = new OffscreenCanvas(width, height), pen = canvas.getContext("2d");
    small.getContext("2d").putImageData(picture, 0, 0);
    pen.imageSmoothingEnabled = false;
    pen.drawImage(small, 0, 0, canvas.width, canvas.height);
    if (this.shown.contour) this.outline(canvas, plane, (here) => pane.mask[here], "#ffffff");
    if (this.shown.reference) this.outline(canvas, plane, (here) => this.lesion[here], "#56b4e9");
    this.cross(canvas, plane, height, width);
  }

  // The image in grey; where a map is above 0 its colour over it, the stronger the higher.
  colour(pane, here) {
    const grey = this.image[here], level = pane.map[here];
    if (!this.shown.map || !level || !this.brain[here]) return [grey, grey, grey, 255];
    const share = Math.min(1, (1.6 * level) / this.set.levels), colour = this.colours[level];
    return [...colour.map((value) => Math.round(share * value + (1 - share) * grey)), 255];
  }

  // Border between voxels inside and outside.
  outline(canvas, plane, inside, colour) {
    const { height, width, place } = this.plane(plane);
    const pen = canvas.getContext("2d"), across = canvas.width / width, down = canvas.height / height;
    pen.beginPath();
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        const own = Boolean(inside(place(y, x)));
        if (x + 1 < width && own !== Boolean(inside(place(y, x + 1)))) {
          pen.moveTo((x + 1) * across, y * down);
          pen.lineTo((x + 1) * across, (y + 1) * down);
        }
        if (y + 1 < height && own !== Boolean(inside(place(y + 1, x)))) {
          pen.moveTo(x * across, (y + 1) * down);
          pen.lineTo((x + 1) * across, (y + 1) * down);
        }
      }
    }
    // black around it, or white would vanish on the bright end of the colours
    for (const [style, thick] of [["#000000", 3.5], [colour, 1.5]]) {
      Object.assign(pen, { strokeStyle: style, lineWidth: thick });
      pen.stroke();
    }
  }

  cross(canvas, plane, height, width) {
    const pen = canvas.getContext("2d");
    const [up, x] = [[this.at[1], this.at[2]], [this.at[0], this.at[2]], [this.at[0], this.at[1]]][plane];
    const left = ((x + 0.5) * canvas.width) / width, top = ((height - up - 0.5) * canvas.height) / height;
    pen.strokeStyle = "rgba(0, 230, 120, 0.65)";
    pen.lineWidth = 1;
    pen.beginPath();
    pen.moveTo(left, 0);
    pen.lineTo(left, canvas.height);
    pen.moveTo(0, top);
    pen.lineTo(canvas.width, top);
    pen.stroke();
  }

  point(canvas, plane, event) {
    const box = canvas.getBoundingClientRect(), { height, width } = this.plane(plane);
    const x = Math.floor(((event.clientX - box.left) / box.width) * width);
    const up = height - 1 - Math.floor(((event.clientY - box.top) / box.height) * height);
    const axes = [[1, 2], [0, 2], [0, 1]][plane];
    this.place(axes[0], up);
    this.place(axes[1], x);
    this.draw();
  }

  place(axis, value) {
    this.at[axis] = Math.max(0, Math.min(this.case.shape[axis] - 1, value));
  }

  // Slices once the viewer was clicked; until then, and where there is one slice, the wheel scrolls the page.
  wheel(plane, event) {
    if (!this.root.contains(document.activeElement) || this.case.shape[plane] === 1) return;
    event.preventDefault();
    this.move(plane, event.deltaY > 0 ? 1 : -1);
  }

  // Step through slices of a plane: its own axis is the one it does not show.
  move(axis, step) {
    this.place(axis, this.at[axis] + step);
    this.draw();
  }

  key(event) {
    if (["SELECT", "INPUT"].includes(event.target.tagName) || event.ctrlKey || event.metaKey || event.altKey) return;
    const steps = { ArrowUp: [1, 1], ArrowDown: [1, -1], ArrowLeft: [2, -1], ArrowRight: [2, 1], PageUp: [0, 1], PageDown: [0, -1] };
    const boxes = { m: "map", c: "contour", r: "reference" };
    if (steps[event.key]) this.move(...steps[event.key]);
    else if (boxes[event.key]) this.root.querySelector(`input[name=${boxes[event.key]}]`).click();
    else if (event.key === "+" || event.key === "-") this.panes.forEach((pane) => this.shift(pane, event.key === "+" ? 1 : -1));
    else if (event.key === "t") this.panes.forEach((pane) => this.reset(pane));
    else return;
    event.preventDefault();
  }

  shift(pane, step) {
    pane.level = Math.max(0, Math.min(this.set.levels, pane.level + step));
    pane.slider.value = pane.level;
    this.count(pane);
    this.draw();
  }
}
