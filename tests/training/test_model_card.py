from features.tables import HEADS
from training import tracking
from training.model_card import model_card


def test_it_says_what_was_learnt_how_it_was_measured_and_where_it_fails(trained, evaluation):
    model = trained[1].model
    card = model_card(model, evaluation)
    assert "Learnt from: **simulated**" in card
    for head in HEADS:
        figures = evaluation.reports[head]
        row = next(line for line in card.splitlines() if line.startswith(f"| {head.replace('_', ' ')} "))
        assert f"{figures.loc['auc', 'value']:.3f}" in row
        assert f"{evaluation.flagged.loc[head, 'recall']:.2f}" in row
    assert "nobody simulated is not found" in card
    assert "accuses nobody" in card


def test_it_is_registered_beside_the_model(trained, champion_home, monkeypatch, evaluation):
    monkeypatch.setenv("REALREACH_HOME", str(champion_home))
    result = trained[1]
    folder = tracking.download(result.name, result.version)
    assert (folder / "model_card.md").read_text(encoding="utf-8") == model_card(result.model, evaluation)
