// [data-unit-of]: the first choice of this field names the unit that is usual for what another field of the form chooses.
export const bindUnitOf = (root) => {
  for (const field of root.querySelectorAll("[data-unit-of]")) {
    const units = JSON.parse(field.dataset.units);
    const other = field.form.elements[field.dataset.unitOf];
    const update = () => (field.options[0].textContent = units[other.value]);
    other.addEventListener("change", update);
    window.addEventListener("pageshow", update); // the browser may have put an earlier choice back
    update();
  }
};
